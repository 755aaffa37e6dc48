"""The jobs table: every accepted request, its state and its history. The truth of the queue.

It survives kill -9 and a full disk: what was acknowledged is on disk, and a change that can't be
written raises DiskFull and leaves everything as it was. The order is one of numbers (see `order`),
so the clock may jump. One server uses a file at a time; any thread may use the store.
"""

from __future__ import annotations

import logging
import secrets
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from webui.core.codec import from_json, to_json
from webui.core.database import Database
from webui.core.errors import InvalidRequest, NotFound
from webui.core.events import Cancelled, Failed, Finished, JobEvent, PictureSaved, Queued, Started
from webui.core.job import Job, JobId, JobState, PersonId
from webui.core.recipe import Recipe
from webui.core.request import GenerationRequest, Mode
from webui.jobs.eta import load_of
from webui.jobs.limits import LimitBook
from webui.jobs.order import (
    READY,
    Order,
    begin_to_wait,
    first_place,
    next_place,
    take_turn,
    waiting,
)
from webui.jobs.schema import MIGRATIONS
from webui.jobs.turns import Pick, in_turn
from webui.jobs.usage import Usage

log = logging.getLogger(__name__)

MAX_ATTEMPTS: Final = 2
CUT_SHORT_TWICE: Final = (
    "Making this picture was cut short twice: the engine or the whole program stopped while it "
    "ran. It is not started a third time by itself. Press Generate to try it again."
)
UNREADABLE_JOB: Final = "This job was written by another version of Gesso and can't be read."
LIST: Final = "The list of jobs"
LOSS: Final = "Jobs that waited in it are gone from the queue, pictures are not touched."
LASTING: Final[Mapping[str, type[Any]]] = MappingProxyType(
    {
        "queued": Queued,
        "started": Started,
        "picture_saved": PictureSaved,
        "finished": Finished,
        "failed": Failed,
        "cancelled": Cancelled,
    }
)
"""The events that are kept; progress and previews are gone when they are over."""

COLUMNS: Final = (
    "id, owner, state, request, recipe, created_at, attempts, recovered, reason, finished_at,"
    " is_paused, not_before, gpu_seconds"
)
WAITING: Final = (JobState.QUEUED,)
AT_WORK: Final = (JobState.RUNNING, JobState.SAVING)
OPEN: Final = WAITING + AT_WORK
FAILING: Final = "state = 'failed', reason = :reason, finished_at = :now"


@dataclass(frozen=True, kw_only=True)
class Terms:
    """On which terms a job is accepted: what the request itself does not say."""

    priority: int = 0
    """That of the person's role, see `turns`."""
    not_before: float = 0.0
    """When it may begin at the earliest, in seconds since 1970; 0 for any time."""
    is_paused: bool = False
    is_urgent: bool = False
    """Before the person's own other jobs."""


class JobStore:
    """Jobs on disk. Every change is durable when its method returns, and raises DiskFull when it
    could not be made."""

    def __init__(self, path: Path) -> None:
        """Opens or makes the file; one that is damaged is set aside first."""
        self.boot: Final = secrets.token_hex(8)
        """Names this life of the server: running rows of another one were cut short."""
        self._file: Final = Database(path, MIGRATIONS, what=LIST, loss=LOSS)
        self.order: Final = Order(self._file)
        self.usage: Final = Usage(self._file)
        self.limits: Final = LimitBook(self._file)
        self._parse: Final = lru_cache(maxsize=1024)(_parse)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def add(
        self,
        request: GenerationRequest,
        recipe: Recipe,
        owner: PersonId,
        dedupe_key: str | None = None,
        terms: Terms | None = None,
    ) -> Job:
        """Accept a job. A second one with the same `dedupe_key` gives back the first."""
        now, terms = time.time(), terms or Terms()
        id = JobId(f"{int(now * 1000):011x}-{secrets.token_hex(5)}")
        load = load_of(recipe, request.picture_count)
        values = (id, dedupe_key, owner, terms.priority, terms.not_before, terms.is_paused)
        told = (load.model, load.family, load.pixels, load.effort, request.mode.value)
        with self._file.changing() as rows:
            begin_to_wait(rows, owner)
            place = (first_place if terms.is_urgent else next_place)(rows, owner)
            added = rows.execute(
                "INSERT INTO job (id, dedupe_key, owner, state, priority, not_before, is_paused,"
                " model, family, pixels, effort, mode, request, recipe, created_at, place)"
                f" VALUES (?, ?, ?, 'queued'{', ?' * 12})"
                f" ON CONFLICT (dedupe_key) DO NOTHING RETURNING {COLUMNS}",
                (*values, *told, to_json(request), to_json(recipe), now, place),
            ).fetchall()
            if added:
                _note(rows, id, Queued())
            else:
                query = f"SELECT {COLUMNS} FROM job WHERE dedupe_key = ?"
                added = rows.execute(query, (dedupe_key,)).fetchall()
            return self._job(added[0])

    def with_key(self, dedupe_key: str | None) -> Job | None:
        """The job that was accepted under a key; None when there is none."""
        if dedupe_key is None:
            return None
        return next(iter(self._select("WHERE dedupe_key = ?", (dedupe_key,))), None)

    def get(self, id: JobId) -> Job:
        """The job. Raises NotFound."""
        found = self._select("WHERE id = ?", (id,))
        if not found:
            raise NotFound("job", id)
        return found[0]

    def claim(self, engine: str, pick: Pick = in_turn) -> Job | None:
        """The next job, now running on this engine; None when none may run. `pick` chooses among
        the people whose next job could; looking, choosing and taking are one transaction."""
        while (row := self._claim_row(engine, pick)) is not None:
            try:
                job = self._job(row)
            except InvalidRequest as error:
                reason = f"{UNREADABLE_JOB} ({error})"
                self._update(row[0], OPEN, FAILING, Failed(reason=reason), reason=reason)
            else:
                return job
        return None

    def _claim_row(self, engine: str, pick: Pick) -> tuple[Any, ...] | None:
        now = time.time()
        with self._file.changing() as rows:
            if (chosen := pick(waiting(rows, now))) is None:
                return None
            (found,) = rows.execute(
                "UPDATE job SET state = 'running', attempts = attempts + 1, engine = ?, boot = ?,"
                f" started_at = ? WHERE seq = ? RETURNING attempts, recovered, {COLUMNS}",
                (engine, self.boot, now, chosen.job),
            ).fetchall()
            take_turn(rows, chosen.owner)
            attempt, recovered, id, *_ = found
            event = Started(engine=engine, attempt=attempt, recovered=bool(recovered))
            _note(rows, id, event)
        return tuple(found[2:])

    def has_ready(self) -> bool:
        """Whether any job could run now."""
        if self.order.is_queue_paused():
            return False
        query = f"SELECT 1 FROM job WHERE {READY} AND owner NOT IN"
        query += " (SELECT owner FROM person WHERE person.is_paused) LIMIT 1"
        return bool(self._file.rows(query, time.time()))

    def saving(self, id: JobId) -> Job:
        """All pictures are made, some are still being saved."""
        return self._change(id, (JobState.RUNNING,), "state = 'saving'")

    def finish(self, id: JobId, seconds: float, remark: str = "") -> Job:
        """All pictures are saved; making them took `seconds`. `remark` is kept as its reason."""
        changes = "state = 'done', finished_at = :now, reason = :remark"
        return self._change(id, AT_WORK, changes, Finished(seconds=seconds), remark=remark)

    def fail(self, id: JobId, reason: str) -> Job:
        """It ended without all its pictures, for a reason in words."""
        return self._change(id, OPEN, FAILING, Failed(reason=reason), reason=reason)

    def cancel(self, id: JobId) -> Job:
        """End a job that is not over."""
        changes = "state = 'cancelled', finished_at = :now"
        return self._change(id, OPEN, changes, Cancelled())

    def requeue(self, id: JobId, *, counts: bool) -> Job:
        """Back to its place in the queue; `counts` tells whether that was one of its attempts."""
        changes = "state = 'queued', recovered = 1, attempts = attempts - :uncounted"
        return self._change(id, AT_WORK, changes, Queued(), uncounted=int(not counts))

    def interrupted(self) -> list[Job]:
        """Jobs that were running when an earlier server was killed."""
        where = "WHERE state IN ('running', 'saving') AND boot IS NOT ? ORDER BY seq"
        return self._select(where, (self.boot,))

    def recover(self) -> list[Job]:
        """Settle what a kill left behind: each interrupted job is queued again, once; a job that
        was cut short twice has failed. The jobs concerned, as they are now."""
        return [
            self.requeue(job.id, counts=True)
            if job.attempts < MAX_ATTEMPTS
            else self.fail(job.id, CUT_SHORT_TWICE)
            for job in self.interrupted()
        ]

    def ended_since(self, at: float) -> list[Job]:
        """The jobs that were over at a time or later, in seconds since 1970; the first first."""
        return self._select("WHERE finished_at >= ? ORDER BY finished_at", (at,))

    def counts(self) -> dict[JobState, int]:
        """How many jobs are in each state."""
        rows = self._file.rows("SELECT state, count(*) FROM job GROUP BY state")
        return {state: dict(rows).get(state, 0) for state in JobState}

    def open_jobs(self) -> list[Job]:
        """All jobs that are not over: those at work, then the others, each person's in their own
        order."""
        return [
            *self._select("WHERE state IN ('running', 'saving') ORDER BY seq"),
            *self._select("WHERE state = 'queued' ORDER BY owner, place, seq"),
        ]

    def open_of(self, owner: PersonId, limit: int = 200) -> list[Job]:
        """A person's jobs that are not over: those at work, then the first of the others in their
        own order."""
        at_work = "WHERE state IN ('running', 'saving') AND owner = ? ORDER BY seq"
        queued = "WHERE state = 'queued' AND owner = ? ORDER BY place, seq LIMIT ?"
        return [*self._select(at_work, (owner,)), *self._select(queued, (owner, limit))]

    def has_open_of_others(self, owner: PersonId) -> bool:
        """Whether anybody but this person has jobs that are not over."""
        at_work = "SELECT 1 FROM job WHERE state IN ('running', 'saving') AND owner <> ?1"
        waits = "SELECT 1 FROM person WHERE owner NOT IN (?1, '') AND EXISTS (SELECT 1 FROM job"
        waits += " WHERE state = 'queued' AND job.owner = person.owner)"
        return bool(self._file.rows(f"{at_work} UNION ALL {waits} LIMIT 1", owner))

    def cancel_queued(self, owner: PersonId | None = None) -> list[Job]:
        """End all jobs that wait, of one person or of all."""
        mine, values = ("", ()) if owner is None else (" AND owner = ?", (owner,))
        with self._file.changing() as rows:
            found = rows.execute(
                "UPDATE job SET state = 'cancelled', finished_at = ? WHERE state = 'queued'"
                f"{mine} RETURNING {COLUMNS}",
                (time.time(), *values),
            ).fetchall()
            for row in found:
                _note(rows, row[0], Cancelled())
        return [job for job, _ in self._readable(found)]

    def recent(self, owner: PersonId, mode: Mode | None = None, limit: int = 20) -> list[Job]:
        """A person's jobs, newest first."""
        if mode is None:
            return self._select("WHERE owner = ? ORDER BY seq DESC LIMIT ?", (owner, limit))
        where = "WHERE owner = ? AND mode = ? ORDER BY seq DESC LIMIT ?"
        return self._select(where, (owner, mode.value, limit))

    def asked_by(self, owner: PersonId) -> Iterator[str]:
        """The requests of a person's jobs as JSON, but for those that are done."""
        rows = self._file.rows("SELECT request FROM job WHERE owner = ? AND state <> 'done'", owner)
        return (request for (request,) in rows)

    def note(self, id: JobId, event: JobEvent) -> None:
        """Keep an event of a job that changes nothing in its row."""
        with self._file.changing() as rows:
            _note(rows, id, event)

    def history(self, id: JobId) -> list[JobEvent]:
        """The events of a job that were kept, oldest first."""
        rows = self._file.rows("SELECT kind, json FROM event WHERE job_id = ? ORDER BY seq", id)
        return [from_json(LASTING[kind], json) for kind, json in rows]

    def _change(
        self,
        id: JobId,
        states: Sequence[JobState],
        changes: str,
        event: JobEvent | None = None,
        **values: object,
    ) -> Job:
        """The job after the change; unchanged, and nothing noted, if it is in no such state."""
        changed = self._update(id, states, changes, event, **values)
        return self._job(changed[0]) if changed else self.get(id)

    def _update(
        self,
        id: JobId,
        states: Sequence[JobState],
        changes: str,
        event: JobEvent | None,
        **values: object,
    ) -> list[tuple[Any, ...]]:
        possible = ", ".join(f"'{state.value}'" for state in states)
        with self._file.changing() as rows:
            changed = rows.execute(
                f"UPDATE job SET {changes} WHERE id = :id AND state IN ({possible})"
                f" RETURNING {COLUMNS}",
                {"id": id, "now": time.time(), **values},
            ).fetchall()
            if changed and event:
                _note(rows, id, event)
        return changed

    def _select(self, where: str, values: Sequence[object] = ()) -> list[Job]:
        rows = self._file.rows(f"SELECT {COLUMNS} FROM job {where}", *values)
        return [job for job, _ in self._readable(rows)]

    def _readable(self, rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[Job, tuple[Any, ...]]]:
        """The jobs of rows that begin with COLUMNS; one that can't be read hides no other."""
        for row in rows:
            try:
                yield self._job(row[: COLUMNS.count(",") + 1]), row
            except InvalidRequest as error:
                log.warning("Job %s is left out: %s (%s)", row[0], UNREADABLE_JOB, error)

    def _job(self, row: tuple[Any, ...]) -> Job:
        id, owner, state, request, recipe, created_at, attempts, recovered, reason, *more = row
        asked, full = self._parse(request, recipe)
        finished_at, is_paused, not_before, gpu_seconds = more
        return Job(
            id=id,
            owner=owner,
            state=JobState(state),
            request=asked,
            recipe=full,
            created_at=created_at,
            attempts=attempts,
            recovered=bool(recovered),
            reason=reason,
            finished_at=finished_at,
            is_paused=bool(is_paused),
            not_before=not_before,
            gpu_seconds=gpu_seconds,
        )


def _parse(request: str, recipe: str) -> tuple[GenerationRequest, Recipe]:
    return from_json(GenerationRequest, request), from_json(Recipe, recipe)


def _note(rows: sqlite3.Connection, id: JobId, event: JobEvent) -> None:
    kind = next(kind for kind, type_ in LASTING.items() if isinstance(event, type_))
    rows.execute(
        "INSERT INTO event SELECT ?1, count(*), ?2, ?3, ?4 FROM event WHERE job_id = ?1",
        (id, kind, time.time(), to_json(event)),
    )
