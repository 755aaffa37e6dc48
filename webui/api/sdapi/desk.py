"""What is remembered of each caller between two requests: in memory, lost when the server ends.

A1111 has one of each for all its users; here everybody has their own.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar, cast

from fastapi import Request

from webui.api.sdapi.room import BodyRoom
from webui.core.job import JobId, PersonId
from webui.plans.plan import PlanId

K = TypeVar("K")
V = TypeVar("V")

MOST_PEOPLE: Final = 1000
MOST_TASKS: Final = 4000
MOST_SKIPPED: Final = 100


class Desk:
    """Usable from any thread, `room` on the loop only."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._options: Final[OrderedDict[PersonId, dict[str, Any]]] = OrderedDict()
        self._tasks: Final[OrderedDict[tuple[PersonId, str], JobId]] = OrderedDict()
        self._names: Final[OrderedDict[JobId, str]] = OrderedDict()
        self._skipped: Final[OrderedDict[JobId, None]] = OrderedDict()
        self._unfinished: Final[OrderedDict[JobId, bytes]] = OrderedDict()
        self._plans: Final[dict[PlanId, PersonId]] = {}
        self.room: Final = BodyRoom()

    def options(self, person: PersonId) -> Mapping[str, Any]:
        """The options that a person chose for what they make."""
        with self._lock:
            return dict(self._options.get(person, {}))

    def remember(self, person: PersonId, options: Mapping[str, Any]) -> None:
        """Options that a person chooses; a value of None forgets one."""
        with self._lock:
            kept = {**self._options.get(person, {}), **options}
            kept = {key: value for key, value in kept.items() if value is not None}
            _put(self._options, person, kept, MOST_PEOPLE)

    def name_task(self, person: PersonId, task: str, job: JobId) -> None:
        """A job gets the name that a program gave to it; the newest of a name counts."""
        with self._lock:
            _put(self._tasks, (person, task), job, MOST_TASKS)
            _put(self._names, job, task, MOST_TASKS)

    def job_of(self, person: PersonId, task: str) -> JobId | None:
        """A person's job of this name."""
        with self._lock:
            return self._tasks.get((person, task))

    def task_of(self, job: JobId) -> str:
        """The name that a job was given, "" if none."""
        with self._lock:
            return self._names.get(job, "")

    def cut_short(self, job: JobId, preview: bytes | None, *, goes_on: bool) -> None:
        """Note how a job looked when it was interrupted, and whether the batches behind the one
        that was at work are to be made."""
        with self._lock:
            if preview is not None:
                _put(self._unfinished, job, preview, MOST_SKIPPED)
            if goes_on:
                _put(self._skipped, job, None, MOST_SKIPPED)

    def take_skipped(self, job: JobId) -> bool:
        """Whether only a batch of this job was to be left out; true once."""
        with self._lock:
            return self._skipped.pop(job, self) is not self

    def take_unfinished(self, job: JobId) -> bytes | None:
        """How a job looked when it was interrupted, once; JPEG."""
        with self._lock:
            return self._unfinished.pop(job, None)

    @contextlib.contextmanager
    def waiting_for(self, person: PersonId, plan: PlanId) -> Iterator[None]:
        """While a person's program waits for a plan, an interrupt ends it."""
        with self._lock:
            self._plans[plan] = person
        try:
            yield
        finally:
            with self._lock:
                del self._plans[plan]

    def plans_of(self, person: PersonId) -> list[PlanId]:
        """The plans that a person's programs wait for."""
        with self._lock:
            return [plan for plan, owner in self._plans.items() if owner == person]


def the_desk(request: Request) -> Desk:
    """The desk that the API was built with."""
    return cast("Desk", request.app.state.desk)


def _put(kept: OrderedDict[K, V], key: K, value: V, most: int) -> None:
    """Put a value in as the newest; the oldest goes when there are too many."""
    kept.pop(key, None)
    kept[key] = value
    while len(kept) > most:
        kept.popitem(last=False)
