"""An engine in a process of its own, watched and restarted. Imports nothing heavy."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from webui.core.codec import to_json
from webui.core.engine import EngineState, EngineStatus, Work
from webui.core.errors import EngineDied, EngineError, EngineHung
from webui.core.events import Alive, Ask, EngineEvent, Loading, Progress
from webui.core.frames import Frame
from webui.core.model import ModelInfo
from webui.engine.asking import Answer, Events, handed_on, unanswered
from webui.engine.child import Child
from webui.engine.wire import pack_answer, unpack_error, unpack_event

log = logging.getLogger(__name__)

POLL_S: Final = 0.1
TICK_S: Final = 0.5
FAILURES_SHOWN: Final = 3
"""An engine that could not start so often in a row is shown as failed; it is tried on."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long to wait for what, in seconds."""

    hang_s: float = 30.0
    """Without a sign of life from a process that is ready."""
    prepare_s: float = 300.0
    """Without a sign of life before: imports from a slow disk can stop the heartbeat."""
    stall_s: float = 1800.0
    """With a heartbeat, but without an event of the batch: longer than any honest step."""
    cancel_s: float = 60.0
    """Until a cancelled batch has ended; the process is ended then."""
    backoff_s: float = 0.5
    """Before the second restart in a row; doubled each time."""
    longest_backoff_s: float = 60.0


class EngineProcess:
    """core's Engine over a child process that runs `factory` ("webui.engine.local:create").

    A supervisor thread starts the child, watches it and starts the next one; `options` reach the
    factory as they are and must be JSON.
    """

    def __init__(
        self, id: str, factory: str, options: Mapping[str, Any], limits: Limits | None = None
    ) -> None:
        self.id = id
        self._begin: Final = Frame(
            kind="begin", data={"factory": factory, "options": dict(options)}
        )
        self._limits: Final = limits or Limits()
        self._on_change: Callable[[], None] = lambda: None
        self._changed: Final = threading.Condition()
        self._status = EngineStatus(id=id, state=EngineState.STARTING, device="")
        self._child: Child | None = None
        self._expected: ModelInfo | None = None
        self._is_prepared = False
        self._batch: _Batch | None = None
        self._batches = 0
        self._last_error: Exception | None = None
        self._troubles = 0
        """Lives in a row that ended badly without having finished a batch."""
        self._is_closing = False
        self._wake: Final = threading.Event()
        self._supervisor: Final = threading.Thread(
            target=self._supervise, name=f"engine-{id}", daemon=True
        )

    @property
    def pid(self) -> int | None:
        """The child's process id; None between two lives."""
        child = self._child
        return child.pid if child else None

    def start(self, on_change: Callable[[], None]) -> None:
        """As core's Engine: returns at once, `on_change` tells when it is ready."""
        self._on_change = on_change
        self._supervisor.start()

    def expect(self, model: ModelInfo) -> None:
        """As core's Engine; each later life of the child is told too."""
        with self._changed:
            self._expected = model
            if self._child is not None:
                self._child.send(_expecting(model))

    def release(self) -> None:
        """As core's Engine."""
        if (child := self._child) is not None:
            child.send(Frame(kind="release"))

    def status(self) -> EngineStatus:
        """What the engine is doing now."""
        return self._status

    def close(self) -> None:
        """End the child and everything that watches it."""
        self._is_closing = True
        self._wake.set()
        if self._supervisor.is_alive():
            self._supervisor.join()
        self._enter(EngineState.CLOSED)

    def generate(self, work: Work) -> Events:
        """As core's Engine. Alive comes at least every tenth of a second, so that the caller may
        cancel at any time; closing returns when the child has stopped."""
        while True:
            child = yield from self._ready_child()
            batch = self._open_batch(child, work)
            try:
                yield from batch.events(child.send)
            except EngineError:
                if batch.has_begun:
                    raise  # else the child was as good as dead already: no fault of this batch
            else:
                return
            finally:
                self._close_batch(child, batch)

    def _ready_child(self) -> Generator[EngineEvent, None, Child]:
        while True:
            status, child = self._status, self._child
            if status.state is EngineState.READY and child is not None and child.is_running():
                return child
            if status.state in (EngineState.FAILED, EngineState.CLOSED):
                self._wake.set()
                raise EngineDied(f"The engine can't start. {status.detail or 'It is closed.'}")
            yield Alive()
            with self._changed:
                self._changed.wait(POLL_S)

    def _open_batch(self, child: Child, work: Work) -> _Batch:
        self._batches += 1
        batch = self._batch = _Batch(self._batches, work.model.id)
        self._enter(EngineState.BUSY, only_from=EngineState.READY)
        payload = to_json(work).encode()
        child.send(Frame(kind="generate", batch=batch.number, payload=payload))
        if self._child is not child:  # it died after the look above, and nobody knew this batch
            batch.finish(EngineDied("The engine's process ended just before."))
        return batch

    def _close_batch(self, child: Child, batch: _Batch) -> None:
        if not batch.is_over.is_set():
            child.send(Frame(kind="cancel", batch=batch.number))
            if not batch.is_over.wait(self._limits.cancel_s):
                child.kill(EngineHung("The engine did not stop when it was asked to."))
        self._batch = None
        self._enter(EngineState.READY, only_from=EngineState.BUSY)

    def _supervise(self) -> None:
        while not self._is_closing:
            self._is_prepared = False
            try:
                self._live()
            except OSError as error:  # no more processes, files or memory to be had
                self._note_end(EngineDied(f"The engine's process can't be started: {error}."), 0.0)
            self._wake.clear()
            if not self._is_closing:
                self._wake.wait(self._backoff())

    def _live(self) -> None:
        """One life of the child, from its start to its burial. Raises OSError."""
        began = time.monotonic()
        child = Child(f"engine-{self.id}", self._receive, self._wake.set)
        with self._changed:
            self._child = child
            child.send(self._begin)
            if self._expected is not None:
                child.send(_expecting(self._expected))
        self._watch(child)
        if self._is_closing:
            child.ask_to_end()
        self._bury(child, time.monotonic() - began)

    def _watch(self, child: Child) -> None:
        """Until the child has ended or this engine is closed; ends a child that stands still."""
        quiet, stalled, limits = _Silence(), _Silence(), self._limits
        while child.is_running() and not self._is_closing:
            self._wake.wait(TICK_S)
            self._wake.clear()
            batch, is_prepared = self._batch, self._is_prepared
            quiet_s = quiet.seconds(child.heard)
            stalled_s = stalled.seconds((batch.number, batch.heard) if batch else None)
            longest_quiet_s = limits.hang_s if is_prepared else limits.prepare_s
            longest_stall_s = max(limits.stall_s, 0 if is_prepared else limits.prepare_s)
            is_at_work = batch is not None or not is_prepared
            if quiet_s > longest_quiet_s or (is_at_work and stalled_s > longest_stall_s):
                silent_s = stalled_s if is_at_work else quiet_s
                why = f"The engine gave no sign of life for {silent_s:.0f} seconds."
                child.kill(EngineHung(why))

    def _bury(self, child: Child, lived_s: float) -> None:
        how = child.bury()
        self._child = None
        error = child.verdict or self._last_error or EngineDied(_describe(how))
        if self._is_closing:
            error = EngineDied("The engine was closed.")
        else:
            if words := child.last_words():
                log.warning("The last words of engine %s (%s):\n%s", self.id, how, words)
            self._note_end(error, lived_s)
        self._last_error = None
        if (batch := self._batch) is not None:  # last, so that its caller finds the new state
            batch.finish(error)

    def _note_end(self, error: Exception, lived_s: float) -> None:
        log.warning("Engine %s: %s", self.id, error)
        self._count_trouble(lived_s)
        is_failed = not self._is_prepared and self._troubles >= FAILURES_SHOWN
        state = EngineState.FAILED if is_failed else EngineState.RESTARTING
        self._enter(state, detail=str(error), model="")

    def _count_trouble(self, lived_s: float) -> None:
        is_old = self._is_prepared and lived_s > self._limits.longest_backoff_s
        self._troubles = 1 if is_old else self._troubles + 1

    def _backoff(self) -> float:
        """Seconds until the next start; the first comes at once."""
        if self._troubles <= 1:
            return 0.0
        doubled = self._limits.backoff_s * 2.0 ** min(self._troubles - 2, 20)
        return min(doubled, self._limits.longest_backoff_s)

    def _receive(self, frame: Frame) -> None:
        """One frame from the child, in its reader thread."""
        batch = self._batch
        match frame.kind:
            case "beat":
                pass
            case "log":
                data = frame.data
                logging.getLogger(data["logger"]).log(data["level"], "%s", data["text"])
            case "ready":
                self._is_prepared = True
                self._enter(EngineState.READY, device=frame.data["device"], detail="")
            case "released":
                self._enter(None, model="")
            case "error":
                self._receive_error(unpack_error(frame), batch, frame.batch)
            case _ if batch is None or batch.number != frame.batch:
                pass  # of a batch that nobody waits for any more
            case "begun":
                batch.has_begun = True
            case "ended":
                self._troubles = 0
                batch.finish(None)
            case _:
                self._receive_event(frame, batch)

    def _receive_error(self, error: Exception, batch: _Batch | None, number: int) -> None:
        if number == 0 or isinstance(error, EngineDied):
            self._last_error = error
            self._enter(EngineState.RESTARTING, detail=str(error), model="")
        elif batch is not None and batch.number == number:
            self._troubles = 0
            batch.finish(error)

    def _receive_event(self, frame: Frame, batch: _Batch) -> None:
        if (event := unpack_event(frame)) is None:
            return
        if isinstance(event, Loading):
            self._enter(EngineState.BUSY, only_from=EngineState.BUSY, model="")
        elif isinstance(event, Progress) and self._status.model != batch.model:
            self._enter(EngineState.BUSY, only_from=EngineState.BUSY, model=batch.model)
        batch.put(event)

    def _enter(
        self, state: EngineState | None, *, only_from: EngineState | None = None, **changes: str
    ) -> None:
        """None stays in the state that it is in."""
        with self._changed:
            if only_from is not None and self._status.state is not only_from:
                return
            self._status = replace(self._status, state=state or self._status.state, **changes)
            self._changed.notify_all()
        self._on_change()


class _Batch:
    """One batch on its way back from the child."""

    def __init__(self, number: int, model: str) -> None:
        self.number: Final = number
        self.model = model
        """That it is at work with: the pictures of an extension's own may want another."""
        self.heard = 0
        self.has_begun = False
        self.is_over: Final = threading.Event()
        self._inbox: Final[queue.SimpleQueue[EngineEvent | Exception | None]] = queue.SimpleQueue()

    def put(self, event: EngineEvent) -> None:
        """One event came."""
        self.heard += 1
        self._inbox.put(event)

    def finish(self, error: Exception | None) -> None:
        """Nothing more will come."""
        self._inbox.put(error)
        self.is_over.set()

    def events(self, send: Callable[[Frame], None]) -> Events:
        """What came, in order; Alive while nothing comes. Raises what the batch failed with. `send`
        takes the answers to what is asked."""
        while True:
            try:
                event = self._inbox.get(timeout=POLL_S)
            except queue.Empty:
                yield Alive()
                continue
            if event is None:
                return
            if isinstance(event, Exception):
                raise event
            answer = yield from handed_on(event)
            if isinstance(event, Ask):
                send(self._answer(answer))

    def _answer(self, answer: Answer) -> Frame:
        if isinstance(answer, Work):
            self.model = answer.model.id
        return pack_answer(answer or unanswered(), self.number)


class _Silence:
    """For how long something has not changed, in time that this process was awake: after the
    laptop was closed for a night, the child was not silent but asleep as well."""

    def __init__(self) -> None:
        self._last: object = None
        self._looked_at = time.monotonic()
        self._silent_s = 0.0

    def seconds(self, now: object) -> float:
        """Seconds since `now` was different, called about once per TICK_S."""
        elapsed = min(time.monotonic() - self._looked_at, 4 * TICK_S)
        self._looked_at += time.monotonic() - self._looked_at
        self._silent_s = self._silent_s + elapsed if now == self._last else 0.0
        self._last = now
        return self._silent_s


def _expecting(model: ModelInfo) -> Frame:
    return Frame(kind="expect", payload=to_json(model).encode())


def _describe(how: str) -> str:
    if how == "SIGKILL":
        return (
            "The engine's process was killed from outside; often the system does that when "
            "memory runs out. A smaller size or batch needs less."
        )
    return f"The engine's process ended unexpectedly ({how})."
