"""What engines did for whom: the seconds of every batch, also of those that failed.

The same rows are this machine's history: how long a model takes, to load and to paint, and where
memory was short. Seconds are measured on the monotonic clock; which day they belong to is told by
the wall clock.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from webui.core.database import Database
from webui.core.job import Job, PersonId
from webui.jobs.eta import Timing, effort, pixels_of

DAY_S: Final = 24 * 60 * 60
REMEMBERED: Final = 200
"""So many batches tell how long the next will take."""
_TIMING: Final = "model, family, pixels, pictures, effort, load_s, seconds, memory, is_out"


@dataclass(frozen=True, kw_only=True)
class Spent:
    """One batch of a job on an engine. `seconds` is all the time that it held the engine, `load_s`
    the part in which its model was loaded."""

    engine: str
    pictures: int
    seconds: float
    load_s: float = 0.0
    is_whole: bool = True
    """Whether it came to its end: only then it tells how long others take."""
    memory: str = ""
    """What the engine gave up because memory was short, in its own words."""
    is_out: bool = False
    """Whether it failed for want of memory."""


@dataclass(frozen=True, kw_only=True)
class DayUsage:
    """What one person used on one day, as this machine's calendar has it."""

    owner: PersonId
    day: str
    """2026-11-22."""
    jobs: int
    pictures: int
    seconds: float


class Usage:
    """The accounts. Usable from any thread."""

    def __init__(self, file: Database) -> None:
        self._file: Final = file

    def spend(self, job: Job, spent: Spent) -> Timing:
        """Book a batch on its job and its person; what it tells of others. Raises DiskFull."""
        timing = timing_of(job, spent)
        now = time.time()
        with self._file.changing() as rows:
            rows.execute(
                f"INSERT INTO spent (job_id, owner, engine, at, {_TIMING})"
                f" VALUES (?, ?, ?, ?, {', '.join('?' * (_TIMING.count(',') + 1))})",
                (job.id, job.owner, spent.engine, now, *_values(timing, spent)),
            )
            rows.execute(
                "UPDATE job SET gpu_seconds = gpu_seconds + ? WHERE id = ?", (spent.seconds, job.id)
            )
        return timing

    def timings(self, limit: int = REMEMBERED) -> list[Timing]:
        """The newest batches that tell something, oldest first."""
        rows = self._file.rows(
            f"SELECT {_TIMING} FROM spent WHERE effort > 0 OR is_out ORDER BY seq DESC LIMIT ?",
            limit,
        )
        return [_timing(row) for row in reversed(rows)]

    def last_day(self, owner: PersonId) -> float:
        """A person's seconds within the last 24 hours."""
        return sum(seconds for _, seconds in self._last_day(owner))

    def free_again(self, owner: PersonId, limit: float) -> float:
        """When less than `limit` of a person's seconds will be a day old or younger: seconds since
        1970."""
        entries = self._last_day(owner)
        used = sum(seconds for _, seconds in entries)
        for at, seconds in entries:
            used -= seconds
            if used < limit:
                return at + DAY_S
        return time.time()

    def days(self, owner: PersonId | None = None, since: float = 0.0) -> list[DayUsage]:
        """Usage by person and day, the newest day first; of one person, or of all."""
        where = "at >= ?1" + (" AND owner = ?2" if owner is not None else "")
        rows = self._file.rows(
            "SELECT owner, date(at, 'unixepoch', 'localtime') AS day, count(DISTINCT job_id),"
            " sum(CASE WHEN effort > 0 THEN pictures ELSE 0 END), sum(seconds)"
            f" FROM spent WHERE {where} GROUP BY day, owner ORDER BY day DESC, owner",
            *((since,) if owner is None else (since, owner)),
        )
        return [
            DayUsage(owner=PersonId(who), day=day, jobs=jobs, pictures=pictures, seconds=seconds)
            for who, day, jobs, pictures, seconds in rows
        ]

    def _last_day(self, owner: PersonId) -> list[tuple[float, float]]:
        """(when, seconds), oldest first. What seems to come from the future counts too: the clock
        was put back."""
        query = "SELECT at, seconds FROM spent WHERE owner = ? AND at > ? ORDER BY at"
        return [(at, s) for at, s in self._file.rows(query, owner, time.time() - DAY_S)]


def timing_of(job: Job, spent: Spent) -> Timing:
    """What a batch tells of how long others take."""
    recipe = job.recipe
    return Timing(
        model=recipe.model.id,
        family=recipe.model.family,
        pixels=pixels_of(recipe),
        pictures=spent.pictures,
        effort=effort(recipe, spent.pictures) if spent.is_whole else 0.0,
        seconds=spent.seconds - spent.load_s,
        load_s=spent.load_s,
        memory=spent.memory,
        is_out=spent.is_out,
    )


def _values(timing: Timing, spent: Spent) -> Sequence[object]:
    return (
        timing.model,
        timing.family,
        timing.pixels,
        timing.pictures,
        timing.effort,
        timing.load_s,
        spent.seconds,
        timing.memory,
        timing.is_out,
    )


def _timing(row: Sequence[Any]) -> Timing:
    model, family, pixels, pictures, effort, load_s, seconds, memory, is_out = row
    return Timing(
        model=model,
        family=family,
        pixels=pixels,
        pictures=pictures,
        effort=effort,
        seconds=seconds - load_s,
        load_s=load_s,
        memory=memory,
        is_out=bool(is_out),
    )
