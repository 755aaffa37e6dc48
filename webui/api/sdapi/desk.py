"""What is remembered of each caller between two requests: in memory, lost when the server ends.

A1111 has one of each for all its users; here everybody has their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final, TypeVar, cast

from fastapi import Request

from webui.api.sdapi.errors import Refused
from webui.core.job import JobId, PersonId
from webui.plans.plan import PlanId

K = TypeVar("K")
V = TypeVar("V")

MOST_PEOPLE: Final = 1000
MOST_TASKS: Final = 4000
MOST_SKIPPED: Final = 100
LARGE_BYTES: Final = 2 << 20
"""A body that may be larger than this is large."""
LARGE_AT_ONCE: Final = 4
"""So many large bodies are in memory at the same time; others wait before they are read."""
READ_S: Final = 120.0
"""So long a body may take to arrive."""


class Desk:
    """Usable from any thread, `body` on the loop only."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._options: Final[OrderedDict[PersonId, dict[str, Any]]] = OrderedDict()
        self._tasks: Final[OrderedDict[tuple[PersonId, str], JobId]] = OrderedDict()
        self._names: Final[OrderedDict[JobId, str]] = OrderedDict()
        self._skipped: Final[OrderedDict[JobId, None]] = OrderedDict()
        self._unfinished: Final[OrderedDict[JobId, bytes]] = OrderedDict()
        self._plans: Final[dict[PlanId, PersonId]] = {}
        self._large: Final = asyncio.Semaphore(LARGE_AT_ONCE)

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

    @contextlib.asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """A request's body. Of the large ones only a few are held at once: the others wait, and
        are not read until then. Raises Refused when it takes too long to arrive."""
        length = request.headers.get("content-length", "")
        is_large = not length.isdigit() or int(length) > LARGE_BYTES
        async with self._large if is_large else contextlib.nullcontext():
            try:
                async with asyncio.timeout(READ_S):
                    data = await request.body()
            except TimeoutError as error:
                raise Refused(
                    HTTPStatus.REQUEST_TIMEOUT,
                    f"The body did not arrive within {READ_S:.0f} seconds. Send it again.",
                ) from error
            yield data


def the_desk(request: Request) -> Desk:
    """The desk that the API was built with."""
    return cast("Desk", request.app.state.desk)


def _put(kept: OrderedDict[K, V], key: K, value: V, most: int) -> None:
    """Put a value in as the newest; the oldest goes when there are too many."""
    kept.pop(key, None)
    kept[key] = value
    while len(kept) > most:
        kept.popitem(last=False)
