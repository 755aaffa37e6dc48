"""In which order the jobs of a queue will run, and when each is done: the turns, played through.

Pure functions. What nobody can know (jobs to come, cancels) is left out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from webui.core.job import JobId, PersonId
from webui.jobs.turns import Affinity, Bounds, Pick, Waiting

PLAYED: Final = 300
"""So many turns are played exactly; further ones go round in the order that there is then."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A job that could run now. `seconds` is what it takes with its model loaded, None when that
    is not known; `switch_s` what loading the model takes."""

    id: JobId
    waiting: Waiting
    seconds: float | None
    switch_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Station:
    """An engine now: in how many seconds it is free (None when not known), and its model."""

    free_in_s: float | None = 0.0
    model: str = ""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """When a job comes. `ahead` is the number of jobs that begin before it, those at work left
    out; `done_in_s` None from the first job on of which nobody knows how long it takes."""

    id: JobId
    ahead: int
    done_in_s: float | None


def forecast(
    jobs: Iterable[Planned], stations: Sequence[Station], bounds: Bounds | None = None
) -> list[Turn]:
    """The turns of all jobs, in the order in which they begin. Each person's jobs are given in
    their own order."""
    engines = [_Engine(station, bounds or Bounds()) for station in stations or [Station()]]
    turns: list[Turn] = []
    for ahead, (job, engine) in enumerate(_played(_by_person(jobs), engines)):
        turns.append(Turn(id=job.id, ahead=ahead, done_in_s=engine.take(job)))
    return turns


class _Engine:
    """One engine in the play."""

    def __init__(self, station: Station, bounds: Bounds) -> None:
        self.model = station.model
        self.free_at = station.free_in_s or 0.0
        self.is_known = station.free_in_s is not None
        self.pick: Final[Pick] = Affinity(lambda: self.model, bounds, clock=lambda: self.free_at)

    def take(self, job: Planned) -> float | None:
        """Do a job; when it is done."""
        model = job.waiting.model
        if model and model != self.model:
            self.free_at += job.switch_s
            self.model = model
        self.is_known = self.is_known and job.seconds is not None
        self.free_at += job.seconds or 0.0
        return self.free_at if self.is_known else None


@dataclass
class _Person:
    """Somebody in the play, with the jobs that are left."""

    jobs: deque[Planned] = field(default_factory=deque)
    last_turn: int | None = None
    """In the play; None before that."""

    def waiting(self) -> Waiting:
        """As the choice sees them."""
        first = self.jobs[0].waiting
        turn = first.last_turn if self.last_turn is None else self.last_turn
        return replace(first, last_turn=turn, since=max(first.since, turn))


def _by_person(jobs: Iterable[Planned]) -> dict[PersonId, _Person]:
    people: dict[PersonId, _Person] = {}
    for job in jobs:
        people.setdefault(job.waiting.owner, _Person()).jobs.append(job)
    return people


def _played(
    people: Mapping[PersonId, _Person], engines: Sequence[_Engine]
) -> Iterator[tuple[Planned, _Engine]]:
    """Each job with the engine that takes it; the caller lets that do the job."""
    left = dict(people)
    turn = max((person.waiting().last_turn for person in left.values()), default=0)
    for _ in range(PLAYED):
        if len(left) <= 1:
            break
        engine = min(engines, key=lambda engine: engine.free_at)
        chosen = engine.pick([person.waiting() for person in left.values()])
        assert chosen is not None  # somebody is left
        turn += 1
        person = left[chosen.owner]
        person.last_turn = turn
        yield person.jobs.popleft(), engine
        if not person.jobs:
            del left[chosen.owner]
    for job in _round(left.values()):
        yield job, min(engines, key=lambda engine: engine.free_at)


def _round(people: Iterable[_Person]) -> Iterator[Planned]:
    """One job of each person after the other, until none is left."""
    ring = deque(sorted(people, key=lambda person: person.waiting().last_turn))
    while ring:
        person = ring.popleft()
        yield person.jobs.popleft()
        if person.jobs:
            ring.append(person)
