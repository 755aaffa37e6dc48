"""Calling hooks, each by itself: what one raises is booked, and stops nobody else."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from webui.core.errors import DiskFull, EngineError
from webui.extend.aside import Late, in_time
from webui.extend.data import StopJob
from webui.extend.extension import Failure
from webui.extend.loaded import Loaded

log = logging.getLogger(__name__)

PASSING: Final = (StopJob, EngineError, DiskFull)
"""What no guard keeps: an end on purpose, and trouble that is not the extension's. A cancel is
GeneratorExit and passes as KeyboardInterrupt does."""
LONGEST_TRACEBACK: Final = 20_000
HOOK_S: Final = 600.0
"""So long a hook may take; a thread that hangs is left to itself, and the job goes on."""

T = TypeVar("T")
Book = Callable[[Loaded, Failure], None]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a hook gave back; None with `failure` when it raised, or gave what can't be used."""

    value: Any = None
    failure: Failure | None = None


class Calls:
    """Usable from any thread."""

    def __init__(self, book: Book, hook_s: float = HOOK_S) -> None:
        """`book` is told of each failure; so many seconds a hook may take."""
        self._book: Final = book
        self._hook_s: Final = hook_s

    def call(
        self,
        loaded: Loaded,
        hook: str,
        given: Mapping[str, Any],
        *,
        accept: Callable[[Any], Any] = lambda value: value,
        job: str = "",
        passing: tuple[type[Exception], ...] = (),
    ) -> Outcome:
        """Run one extension's hook with those of `given` that it takes. `accept` looks at what it
        gave back; what that raises is the extension's failure too."""
        implementation = loaded.hooks.get(hook)
        if implementation is None or loaded.is_out:
            return Outcome()

        def run() -> Any:
            return accept(in_time(lambda: implementation(given), self._hook_s, loaded.name))

        return self.guarded(loaded, hook, run, job=job, passing=passing)

    def guarded(
        self,
        loaded: Loaded,
        hook: str,
        run: Callable[[], Any],
        *,
        job: str = "",
        passing: tuple[type[Exception], ...] = (),
    ) -> Outcome:
        """Run something of an extension's on behalf of `hook`."""
        began = time.perf_counter()
        try:
            return Outcome(value=run())
        except PASSING:
            raise
        except (Exception, SystemExit) as error:
            if isinstance(error, passing):
                raise
            return Outcome(failure=self._failed(loaded, hook, error, job))
        finally:
            loaded.seconds += time.perf_counter() - began

    def iterate(
        self, loaded: Loaded, hook: str, items: Iterator[T], *, job: str = ""
    ) -> Iterator[T]:
        """What an extension yields, until it ends or fails; then the failure is raised as
        StopJob, as there is nothing to go on with."""
        done = object()
        while True:
            outcome = self.guarded(loaded, hook, lambda: next(items, done), job=job)
            if outcome.failure is not None:
                raise StopJob(f"{loaded.name} failed: {outcome.failure.message}")
            if outcome.value is done:
                return
            yield outcome.value

    def _failed(self, loaded: Loaded, hook: str, error: BaseException, job: str) -> Failure:
        failure = failure_of(hook, error, job)
        log.warning(
            "The extension %s failed at %s.\n%s", loaded.id, hook, failure.traceback.rstrip()
        )
        self._book(loaded, failure)
        return failure


def failure_of(hook: str, error: BaseException, job: str = "") -> Failure:
    """An exception as it is shown to people."""
    text = "".join(traceback.format_exception(error))
    return Failure(
        hook=hook,
        message=f"{type(error).__name__}: {error}".rstrip(": "),
        traceback=text[-LONGEST_TRACEBACK:],
        at=time.time(),
        job=job,
        is_hang=isinstance(error, Late),
    )


def told_failure(hook: str, text: str, job: str = "") -> Failure:
    """A failure in another process, of which only the traceback came back."""
    return Failure(
        hook=hook,
        message=text.strip().rpartition("\n")[2],
        traceback=text[-LONGEST_TRACEBACK:],
        at=time.time(),
        job=job,
    )
