"""The queue as people use it: hand in within limits, look at one's line, change its order."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Final

from webui.core.errors import InvalidRequest
from webui.core.job import Job, JobId, JobState, PersonId
from webui.core.person import Role
from webui.core.recipe import Recipe
from webui.core.request import GenerationRequest
from webui.jobs.dispatcher import Dispatcher
from webui.jobs.hold import reason_for
from webui.jobs.limits import InUse, Limits, check_disk, check_room, check_size
from webui.jobs.line import NEAR, Place
from webui.jobs.order import NOBODY, Move
from webui.jobs.preflight import Question, Verdict, judge
from webui.jobs.store import JobStore, Terms

PRIORITIES: Final[Mapping[Role, int]] = MappingProxyType(
    {Role.VIEWER: 0, Role.ARTIST: 0, Role.OWNER: 1}
)
"""Who comes first among those whose turn it could be; see `turns` for how little that is."""
LATEST_S: Final = 366 * 24 * 3600
SHOWN: Final = 100
"""So many of a person's waiting jobs are shown at a time."""


class Queue:
    """Usable from any thread."""

    def __init__(
        self,
        store: JobStore,
        dispatcher: Dispatcher,
        *,
        roles: Callable[[PersonId], Role],
        disk_bytes: Callable[[PersonId], int],
    ) -> None:
        """`roles` tells what somebody may do, `disk_bytes` how much room is taken by what they
        keep here."""
        self._store: Final = store
        self._dispatcher: Final = dispatcher
        self._roles: Final = roles
        self._disk_bytes: Final = disk_bytes

    def submit(
        self,
        request: GenerationRequest,
        recipe: Recipe,
        owner: PersonId,
        key: str | None = None,
        terms: Terms | None = None,
    ) -> Job:
        """Accept a job, as Dispatcher.submit. Raises InvalidRequest for one beyond the person's
        limits: LimitReached where it would be accepted later."""
        terms = terms or Terms()
        _check_time(terms.not_before)
        limits = self.limits(owner)
        check_size(limits, recipe, request.picture_count)
        terms = replace(terms, priority=PRIORITIES[self._roles(owner)])
        admit = partial(check_room, limits, self.in_use(owner))
        return self._dispatcher.submit(request, recipe, owner, key, terms, admit)

    def preflight(self, recipe: Recipe, pictures: int, owner: PersonId) -> Verdict:
        """What would become of a job that this person handed in now."""
        limits = self.limits(owner)
        try:
            check_size(limits, recipe, pictures)
            check_room(limits, self.in_use(owner))
            refused = None
        except InvalidRequest as error:
            refused = error
        question = Question(
            owner=owner,
            priority=PRIORITIES[self._roles(owner)],
            recipe=recipe,
            pictures=pictures,
            refused=refused,
            turns=self._store.order.turns(),
            last_turn=self._store.order.turns(owner),
            waiting=self.waiting(owner),
        )
        has_many = self._store.order.queued(owner) > NEAR
        scene = self._dispatcher.scene(None if has_many else NEAR)
        engines = self._dispatcher.statuses()
        if not self.may_manage(owner):  # what is wrong with one may name folders
            engines = [replace(status, detail="") for status in engines]
        return judge(question, scene, engines)

    def own_line(self, owner: PersonId, limit: int = SHOWN) -> list[tuple[Job, Place]]:
        """A person's jobs that are not over: those at work, then the others in the order in which
        they will run, then what is held back. Of many that wait, the first."""
        line = self._dispatcher.line()
        jobs = [(job, line.place(job.id)) for job in self._store.open_of(owner, limit)]

        def order(entry: tuple[Job, Place | None]) -> tuple[bool, bool, int]:
            job, place = entry
            return job.state is JobState.QUEUED, place is None, place.ahead if place else 0

        return [(job, place or Place()) for job, place in sorted(jobs, key=order)]

    def may_manage(self, person: PersonId) -> bool:
        """Whether somebody may put everybody's jobs in order."""
        return self._roles(person) is Role.OWNER

    def manages_others(self, person: PersonId) -> bool:
        """Whether somebody may, and there are jobs of others that are not over."""
        return self.may_manage(person) and self._store.has_open_of_others(person)

    def release_models(self, person: PersonId) -> bool:
        """Give back the memory that models take, unless jobs of others run or wait, for whom they
        would have to be loaded again. Whether that is so."""
        is_free = not self._store.has_open_of_others(person)
        if is_free:
            self._dispatcher.release()
        return is_free

    def waiting(self, person: PersonId) -> str:
        """Why the queue can't go on, in words for this person; "" when it can."""
        return reason_for(self._dispatcher.waiting(), is_owner=self.may_manage(person))

    def place(self, job: Job) -> Place:
        """Where a job stands that is not over."""
        near = self._dispatcher.line().place(job.id)
        if near is None and job.state is JobState.QUEUED:  # held back, or far back
            return self._dispatcher.line(None).place(job.id) or Place()
        return near or Place()

    def limits(self, person: PersonId) -> Limits:
        """What this person may ask for."""
        return self._store.limits.of(person, self._roles(person))

    def in_use(self, person: PersonId) -> InUse:
        """What this person has of what is limited."""
        return InUse(
            queued_jobs=lambda: self._store.order.queued(person),
            disk_bytes=lambda: self._disk_bytes(person),
            gpu_seconds=lambda: self._store.usage.last_day(person),
            free_again=lambda limit: self._store.usage.free_again(person, limit),
        )

    def check_disk(self, person: PersonId) -> None:
        """Raises LimitReached for somebody who may keep nothing more here."""
        check_disk(self.limits(person), self.in_use(person))

    def pause(self, id: JobId, *, is_paused: bool) -> None:
        """Hold a job that waits, or let it go on."""
        with self._dispatcher.reordering():
            self._store.order.pause_job(id, is_paused=is_paused)

    def pause_all(self, owner: PersonId, *, is_paused: bool) -> None:
        """Hold all of a person's jobs that wait, or let them go on; what runs goes on."""
        with self._dispatcher.reordering():
            self._store.order.pause_person(owner, is_paused=is_paused)

    def pause_queue(self, *, is_paused: bool) -> None:
        """Begin nothing new, whoever asked for it; what runs goes on."""
        self.pause_all(NOBODY, is_paused=is_paused)

    def not_before(self, id: JobId, at: float) -> None:
        """Let a job that waits begin then at the earliest: seconds since 1970, 0 for any time."""
        _check_time(at)
        with self._dispatcher.reordering():
            self._store.order.not_before(id, at)

    def move(self, id: JobId, where: Move) -> None:
        """Move a job that waits among those of the same person."""
        with self._dispatcher.reordering():
            self._store.order.move(id, where)

    def put_first(self, owner: PersonId) -> None:
        """Let a person have the next turn."""
        with self._dispatcher.reordering():
            self._store.order.put_first(owner)


def _check_time(at: float) -> None:
    if at < 0 or at > time.time() + LATEST_S:
        raise InvalidRequest(
            "not_before",
            f"{at:g} is no time within a year from now. Give seconds since 1970, or 0 for none.",
        )
