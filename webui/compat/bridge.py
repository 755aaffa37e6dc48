"""Between the thread of the scripts and the engine's generator of events.

Scripts call `process_images` and wait; the engine is a generator that is driven from outside. So
scripts run in a thread of their own, and what they want painted is handed to the generator.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Final

from PIL import Image

from webui.core.engine import Work
from webui.core.errors import GessoError
from webui.core.events import Alive, Ask, EngineEvent, ImageReady, Progress
from webui.core.recipe import Recipe
from webui.core.request import GenerationRequest, InputId
from webui.engine.asking import Answer, Events, Paint, ask, handed_on, resumed
from webui.engine.extensions.calls import Participant

log = logging.getLogger(__name__)

POLL_S: Final = 0.1
END_S: Final = 10.0
"""So long a cancelled job's scripts are waited for."""


class JobCancelled(BaseException):
    """The job is cancelled: ends the scripts, past whatever they catch."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """Pictures to be painted together: of the works that the requests come to one is made.
    `others` take part in it."""

    requests: Sequence[GenerationRequest]
    pictures: Mapping[InputId, bytes] = field(default_factory=dict)
    others: Sequence[Participant] = ()


@dataclass(frozen=True, kw_only=True)
class Made:
    """A painted picture."""

    image: Image.Image
    recipe: Recipe
    facts: Mapping[str, str]


class Bridge:
    """One job. `paint`, `tell` and `check` are called by the scripts' thread."""

    def __init__(self, paint: Paint, state: Callable[[], Any]) -> None:
        """`state` gives A1111's state of the job, for progress and interrupts."""
        self._paint: Final = paint
        self._state: Final = state
        self._out: Final[queue.SimpleQueue[Any]] = queue.SimpleQueue()
        self._back: Final[queue.SimpleQueue[Any]] = queue.SimpleQueue()
        self._done = 0
        self.is_cancelled = False

    @property
    def painter(self) -> Paint:
        """The engine's own way to make a batch."""
        return self._paint

    def paint(self, order: Order) -> list[Made]:
        """The pictures; fewer when the scripts' state says that the job is interrupted. Raises
        what the engine raises, and JobCancelled."""
        self.check()
        self._out.put(order)
        answer = self._back.get()
        if isinstance(answer, BaseException):
            raise answer
        self.check()
        made: list[Made] = answer
        return made

    def tell(self, event: EngineEvent) -> None:
        """An event goes out."""
        self.check()
        self._out.put(event)

    def check(self) -> None:
        """Raises JobCancelled once the job is cancelled."""
        if self.is_cancelled:
            raise JobCancelled

    def events(self, scripts: Callable[[], None]) -> Events:
        """The events of a job that `scripts` makes. Raises what it raises."""
        thread = threading.Thread(target=self._run, args=(scripts,), name="a1111", daemon=True)
        thread.start()
        try:
            while True:
                item = yield from self._next()
                if item is None:
                    return
                if isinstance(item, BaseException):
                    raise item
                yield from self._serve(item)
        finally:
            self._end(thread)

    def _run(self, scripts: Callable[[], None]) -> None:
        try:
            with _inference(), _loop():
                scripts()
        except JobCancelled:
            self._out.put(None)
        except BaseException as error:  # noqa: BLE001 - raised again by who reads the events
            self._out.put(error)
        else:
            self._out.put(None)

    def _next(self) -> Any:
        while True:
            try:
                return self._out.get(timeout=POLL_S)
            except queue.Empty:
                yield Alive()

    def _serve(self, item: Any) -> Events:
        if not isinstance(item, Order):
            yield item
            return
        try:
            made = yield from self._made(item)
        except GessoError as error:
            self._back.put(error)
        else:
            self._back.put(made)

    def _made(self, order: Order) -> Any:
        works = []
        for number, request in enumerate(order.requests):
            pictures = order.pictures if number == 0 else {}
            works.append((yield from ask(Ask(request=request, pictures=pictures))))
        work = _together(works)
        painted: list[Made] = []
        events = self._paint(work, order.others)
        try:
            answer: Answer = None
            while (event := resumed(events, answer)) is not None:
                if isinstance(event, ImageReady):
                    painted.append(_as_made(event, work))
                    continue
                answer = yield from handed_on(self._scaled(event))
                if self._is_interrupted():
                    break
        finally:
            events.close()
        self._done += 1
        return painted

    def _is_interrupted(self) -> bool:
        state = self._state()
        return bool(state.interrupted or state.skipped)

    def _scaled(self, event: EngineEvent) -> EngineEvent:
        """Progress of the whole job, as far as the scripts said how many parts it has."""
        if not isinstance(event, Progress):
            return event
        state = self._state()
        state.sampling_step, state.sampling_steps = event.step, event.steps
        parts = max(int(state.job_count or 0), self._done + 1)
        done = self._done * event.steps + event.step
        return replace(event, step=done, steps=parts * event.steps)

    def _end(self, thread: threading.Thread) -> None:
        self.is_cancelled = True
        self._state().interrupted = thread.is_alive()
        self._back.put(JobCancelled())
        thread.join(END_S)
        if thread.is_alive():
            log.warning("A script does not stop although its job is cancelled.")


def _as_made(event: ImageReady, work: Work) -> Made:
    recipe = event.recipe or work.recipes[event.index]
    return Made(image=event.image, recipe=recipe, facts=event.facts)


def _together(works: Sequence[Work]) -> Work:
    """One work with all recipes and files of several."""
    first = works[0]
    files = {(used.kind, used.ref): used for work in works for used in work.files}
    return replace(
        first,
        recipes=tuple(recipe for work in works for recipe in work.recipes),
        inputs={id: path for work in works for id, path in work.inputs.items()},
        files=tuple(files.values()),
        legacy=None,
    )


@contextmanager
def _loop() -> Iterator[None]:
    """A loop of events for this thread: Gradio wants one where its parts are made."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _inference() -> AbstractContextManager[Any]:
    """torch's mode without gradients, where torch is loaded: the engine's tensors have it too."""
    torch = sys.modules.get("torch")
    return nullcontext() if torch is None else torch.inference_mode()
