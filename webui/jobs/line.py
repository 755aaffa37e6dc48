"""The line: how many jobs stand before each, and when it will be done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from webui.core.job import JobId
from webui.jobs.eta import Load, Timing, expected_seconds, switch_seconds
from webui.jobs.forecast import Planned, Station, Turn, forecast
from webui.jobs.order import InLine
from webui.jobs.turns import Bounds

NEAR: Final = 120
"""So many jobs of each person are played through where nobody asks for later ones."""
FRESH_S: Final = 1.0
"""So long a line is shown to all who ask, unless the queue changes."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a job stands. `ahead` jobs come before it, those at work included; `seconds_left` is
    until it is done, None when not known."""

    ahead: int = 0
    seconds_left: float | None = None


@dataclass(frozen=True, kw_only=True)
class AtWork:
    """A job that has an engine."""

    id: JobId
    engine: str
    model: str
    seconds_left: float | None
    is_saving: bool
    """Its engine is free again."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """All that the line depends on. `models` are those that engines hold, by the engine's id."""

    at_work: Sequence[AtWork]
    waiting: Sequence[InLine]
    timings: Sequence[Timing]
    models: Mapping[str, str]
    bounds: Bounds


@dataclass(frozen=True, kw_only=True)
class Line:
    """All jobs that run or could; those that are held back have no place."""

    places: Mapping[JobId, Place] = field(default_factory=lambda: MappingProxyType({}))
    jobs: int = 0
    """At work or waiting."""

    def place(self, id: JobId) -> Place | None:
        """Where a job stands; None when it is over or held back."""
        return self.places.get(id)


def line_of(scene: Scene) -> Line:
    """The line as it is played through."""
    running = [job for job in scene.at_work if not job.is_saving]
    places = {job.id: Place(seconds_left=job.seconds_left) for job in scene.at_work}
    for turn in turns_of(scene):
        ahead = len(running) + turn.ahead
        places[turn.id] = Place(ahead=ahead, seconds_left=turn.done_in_s)
    return Line(places=MappingProxyType(places), jobs=len(places))


def turns_of(scene: Scene) -> list[Turn]:
    """The turns of those who wait."""
    known: dict[Load, float | None] = {}
    switches: dict[tuple[str, str], float] = {}
    planned: list[Planned] = []
    for job in scene.waiting:
        model = job.waiting.model
        load = Load(model=model, family=job.family, pixels=job.pixels, effort=job.effort)
        if load not in known:
            known[load] = expected_seconds(scene.timings, load)
        if (model, job.family) not in switches:
            switches[model, job.family] = switch_seconds(scene.timings, model, job.family)
        planned.append(
            Planned(
                id=job.id,
                waiting=job.waiting,
                seconds=known[load],
                switch_s=switches[model, job.family],
            )
        )
    return forecast(planned, _stations(scene), scene.bounds)


def _stations(scene: Scene) -> list[Station]:
    running = {job.engine: job for job in scene.at_work if not job.is_saving}
    return [
        Station(free_in_s=running[engine].seconds_left, model=running[engine].model)
        if engine in running
        else Station(model=model)
        for engine, model in scene.models.items()
    ]


class LineKeeper:
    """Plays the line through when somebody asks, once for all who ask at about the same time.
    Usable from any thread."""

    def __init__(self, look: Callable[[int | None], Scene]) -> None:
        """`look` gives the scene with so many jobs of each person at most, None with all."""
        self._look: Final = look
        self._lock: Final = threading.Lock()
        self._lines: dict[int | None, tuple[float, Line]] = {}

    def forget(self) -> None:
        """The queue has changed."""
        self._lines = {}

    def line(self, most: int | None) -> Line:
        """The line now, with so many jobs of each person at most: what comes later in one
        person's own order keeps none of the others' that far ahead."""
        with self._lock:
            lines, now = self._lines, time.monotonic()
            until, line = lines.get(most, (0.0, Line()))
            if now >= until:
                line = line_of(self._look(most))
                lines[most] = now + FRESH_S, line
            return line
