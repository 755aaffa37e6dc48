"""Whose turn it is: the choice of the next job, as a pure function over a few numbers a person.

Everyone has one place, however many jobs they have. The one who was served longest ago comes next,
and nobody is overtaken more than once by anybody while they wait: not by who comes back at once,
not for the sake of the model that is loaded, not by an owner. So a person waits for at most one
job of each other person, which makes it a round-robin whose rounds nobody has to count.

What is left to choose within that is used twice: to serve the owner first, and to keep the model
that an engine holds, since another takes seconds to load. The second is bounded once more, see
Bounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from webui.core.job import PersonId


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Somebody whose next job could run now."""

    owner: PersonId
    job: int
    """The job's number, in the order in which jobs were accepted."""
    model: str = ""
    """The id of the checkpoint that it needs; "" when it needs none."""
    priority: int = 0
    """Among those who may come next, the highest comes first."""
    last_turn: int = 0
    """The number of this person's last turn, over all turns of all people; 0 for none."""
    since: int = 0
    """How many turns there had been when they began to wait; not before their last one."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How long a loaded model may keep others from their turn: so many jobs in a row are chosen
    for it, and no more once the first of them began so many seconds ago."""

    jobs: int = 8
    seconds: float = 60.0


class Pick(Protocol):
    """Chooses who is next."""

    def __call__(self, waiting: Sequence[Waiting]) -> Waiting | None:
        """One of those who wait; None when nobody does."""
        ...


def in_turn(waiting: Sequence[Waiting]) -> Waiting | None:
    """Who is next when it does not matter which model is loaded."""
    return min(may_come(waiting), key=_place, default=None)


def for_model(waiting: Sequence[Waiting], model: str) -> Waiting | None:
    """Who is next among those whose job needs this model or none; None when nobody may come."""
    return min(
        (one for one in may_come(waiting) if one.model in (model, "")), key=_place, default=None
    )


def may_come(waiting: Sequence[Waiting]) -> list[Waiting]:
    """Those who would overtake nobody for a second time: whose own last turn was before everybody
    else began to wait. Whoever was served longest ago is always one of them."""
    waited = sorted(one.since for one in waiting)[:2]
    return [
        one
        for one in waiting
        if one.last_turn <= (waited[-1] if one.since == waited[0] else waited[0])
    ]


def _place(one: Waiting) -> tuple[int, int, int]:
    return -one.priority, one.last_turn, one.job


class Affinity:
    """The choice for one engine: it keeps to the model that is loaded as far as Bounds go. Used by
    one thread."""

    def __init__(
        self,
        loaded: Callable[[], str],
        bounds: Bounds | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`loaded` tells the id of the model that the engine holds, "" for none."""
        self._loaded: Final = loaded
        self._bounds: Final = bounds or Bounds()
        self._clock: Final = clock
        self._favours = 0
        self._began = 0.0

    def __call__(self, waiting: Sequence[Waiting]) -> Waiting | None:
        """As Pick: who is in turn, or another whose job needs the loaded model."""
        first, loaded = in_turn(waiting), self._loaded()
        if first is None or not loaded or first.model in (loaded, ""):
            self._favours = 0
            return first
        favoured = for_model(waiting, loaded) if self._may_favour() else None
        if favoured is None:
            self._favours = 0
            return first
        if self._favours == 0:
            self._began = self._clock()
        self._favours += 1
        return favoured

    def _may_favour(self) -> bool:
        if self._favours == 0:
            return self._bounds.jobs > 0
        is_soon = self._clock() - self._began < self._bounds.seconds
        return is_soon and self._favours < self._bounds.jobs
