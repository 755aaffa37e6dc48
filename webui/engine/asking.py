"""Questions out of a batch: an extension wants pictures of its own, and whoever reads the events
answers with the work for them.

An Ask goes out like any event; the answer comes back by the generator's `send` or `throw`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Final, Protocol

from webui.core.engine import Work
from webui.core.errors import GessoError, InvalidRequest
from webui.core.events import Ask, EngineEvent

if TYPE_CHECKING:
    from webui.engine.extensions.calls import Participant

Events = Generator[EngineEvent, Work | None, None]
"""Of one batch."""
Answer = Work | GessoError | None
"""What an event was answered with; None for all that are no Ask."""


class Paint(Protocol):
    """An engine's own way to make a batch."""

    def __call__(self, work: Work, others: Iterable[Participant] = ()) -> Events:
        """Its events. `others` have hooks for it beside the extensions that the work names."""
        ...


TakeOver = Callable[[Work, Paint], Events]
"""Makes a batch with what an engine can do."""

LEGACY: Final = "webui.compat.jobs:run"
"""The TakeOver of batches that run through scripts written for AUTOMATIC1111."""


def ask(question: Ask) -> Generator[EngineEvent, Work | None, Work]:
    """The work that a request of an extension's own comes to. Raises what it was refused with."""
    answer = yield question
    if answer is None:
        raise unanswered()
    return answer


def unanswered() -> InvalidRequest:
    """What a question comes to that nobody saw."""
    return InvalidRequest(
        "", "Whoever reads this batch makes no pictures for extensions. Use the queue."
    )


def handed_on(event: EngineEvent) -> Generator[EngineEvent, Work | None, Answer]:
    """Yields an event; what it was answered with, be it a refusal."""
    try:
        return (yield event)
    except GessoError as refusal:
        return refusal


def resumed(events: Events, answer: Answer) -> EngineEvent | None:
    """The next event after the last one was answered so; None when there is none."""
    try:
        return events.throw(answer) if isinstance(answer, GessoError) else events.send(answer)
    except StopIteration:
        return None


def take_over(work: Work, paint: Paint, legacy: str = LEGACY) -> Events:
    """The events of a batch: as the engine paints it, or through the TakeOver that the string
    names ("module:function") where old scripts take part in it. That is imported only then."""
    if work.legacy is None:
        yield from paint(work)
        return
    module, _, name = legacy.partition(":")
    run: TakeOver = getattr(importlib.import_module(module), name)
    yield from run(work, paint)
