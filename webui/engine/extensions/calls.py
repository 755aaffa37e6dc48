"""The calls of extensions' hooks in one batch: one by one, guarded and timed. No torch."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Final, TypeVar

from webui.core.errors import EngineError, ExtensionFailed
from webui.core.events import Called
from webui.extend.data import Context, StopJob

log = logging.getLogger(__name__)

V = TypeVar("V")
IsFatal = Callable[[BaseException], bool]
Hook = Callable[..., Any]
"""Takes all arguments of its hook by name, and hands on those that the author wanted."""

FACT: Final = "extensions"
"""The fact of a picture that says which extensions failed at it."""


def is_memory_short(error: BaseException) -> bool:
    """The errors that pass in any process."""
    return isinstance(error, MemoryError)


@dataclass(frozen=True, kw_only=True)
class Participant:
    """An extension that takes part in a batch."""

    id: str
    name: str
    hooks: Mapping[str, Hook]
    ctx: Context
    inputs: SimpleNamespace = field(default_factory=SimpleNamespace)


class Calls:
    """All hooks of a batch, and what became of them. Without participants it does nothing."""

    def __init__(
        self, participants: Iterable[Participant] = (), is_fatal: IsFatal = is_memory_short
    ) -> None:
        """`is_fatal`: of errors that are the device's, not the extension's: they pass."""
        self._participants: Final = list(participants)
        self._is_fatal: Final = is_fatal
        self._failed: Final[set[str]] = set()
        self._seconds: Final[dict[tuple[str, str], float]] = {}
        self._errors: Final[list[Called]] = []
        self._notes: Final[list[str]] = []
        self._facts: Final[dict[str, str]] = {}

    def join(self, participant: Participant) -> None:
        """One more takes part, behind the others."""
        self._participants.append(participant)

    @property
    def names(self) -> list[str]:
        """Of those that take part and have not failed."""
        return [one.name for one in self._participants if one.id not in self._failed]

    def has(self, *hooks: str) -> bool:
        """Whether any of these hooks would be called."""
        return bool(self._participants) and any(self._with(hook) for hook in hooks)

    def each(self, hook: str, value: V, ask: Callable[[Hook, V], V]) -> V:
        """`value` after the hook of each participant. `ask(call, value)` calls one's hook and
        gives the value after it; where it raises, the value stays as it was."""
        for one in self._with(hook):
            value = self._guarded(one, hook, ask, value)
        return value

    def fail(
        self, id: str, name: str, hook: str, error: BaseException, seconds: float = 0.0
    ) -> None:
        """Book what one raised; it is left out from now on."""
        told = "".join(traceback.format_exception(error))
        log.warning("The extension %s failed at %s:\n%s", name, hook, told)
        self._failed.add(id)
        self._errors.append(Called(extension=id, hook=hook, seconds=seconds, error=told))
        self._notes.append(f"{name} failed at {hook}")

    def note(self, facts: Mapping[str, str]) -> None:
        """Facts for the picture that is being made."""
        self._facts.update(facts)

    def facts(self) -> dict[str, str]:
        """What there is to say of the picture that was made just now."""
        facts = dict(self._facts)
        self._facts.clear()
        return {**facts, FACT: "; ".join(self._notes)} if self._notes else facts

    def told(self) -> Iterator[Called]:
        """What was called since this was asked last: each extension once with all its hooks and
        their time, since an event on its way to the server costs more than most calls; and errors.
        """
        spent, errors = dict(self._seconds), list(self._errors)
        self._seconds.clear()
        self._errors.clear()
        for id in dict.fromkeys(id for id, _ in spent):
            own = {hook: seconds for (of, hook), seconds in spent.items() if of == id}
            yield Called(extension=id, hook=", ".join(own), seconds=sum(own.values()))
        yield from errors

    def _with(self, hook: str) -> list[Participant]:
        return [
            one for one in self._participants if hook in one.hooks and one.id not in self._failed
        ]

    def _guarded(self, one: Participant, hook: str, ask: Callable[[Hook, V], V], value: V) -> V:
        """A border where errors end; those of the device, a cancel and a wish to stop go on."""

        def call(**arguments: Any) -> Any:
            return one.hooks[hook](**arguments, inputs=one.inputs, ctx=one.ctx)

        began = time.perf_counter()
        try:
            value = ask(call, value)
        except StopJob as stop:
            raise ExtensionFailed(one.id, str(stop) or f"{one.name} ended the job.") from stop
        except (Exception, SystemExit) as error:
            if isinstance(error, EngineError) or self._is_fatal(error):
                raise
            self.fail(one.id, one.name, hook, error, time.perf_counter() - began)
        else:
            key = (one.id, hook)
            self._seconds[key] = self._seconds.get(key, 0.0) + time.perf_counter() - began
        return value
