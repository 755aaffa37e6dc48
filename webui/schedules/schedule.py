"""What a schedule is, and the table of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, cast

import webui.schedules
from webui.core.errors import InvalidRequest
from webui.core.registry import Registry, discover
from webui.core.request import SamplerParameters
from webui.schedules.noise_levels import NoiseLevels

AUTOMATIC: Final = "automatic"
"""The id that stands for the sampler's own default."""

Sigmas = tuple[float, ...]
"""Falling noise levels, mostly to 0, mostly one more than there are steps."""


@dataclass(frozen=True, kw_only=True)
class Spacing:
    """What a schedule spaces: the model's noise levels, the steps asked for and fine points."""

    levels: NoiseLevels
    steps: int
    parameters: SamplerParameters = field(default_factory=SamplerParameters)
    family: str = ""
    """Id of the model's family, for schedules that were tuned for one."""

    @property
    def smallest(self) -> float:
        """The level before 0: the model's, or the one asked for. Raises InvalidRequest."""
        self._check_range()
        return self.parameters.smallest_sigma or self.levels.smallest

    @property
    def largest(self) -> float:
        """The level to start from: the model's, or the one asked for. Raises InvalidRequest."""
        self._check_range()
        return self.parameters.largest_sigma or self.levels.largest

    def _check_range(self) -> None:
        smallest = self.parameters.smallest_sigma or self.levels.smallest
        largest = self.parameters.largest_sigma or self.levels.largest
        if smallest >= largest:
            raise InvalidRequest(
                "sampling.parameters.smallest_sigma",
                f"The smallest sigma {smallest:g} is not below the largest, {largest:g}. "
                f"Leave both empty for the model's, {self.levels.smallest:.4f} to "
                f"{self.levels.largest:.4f}.",
            )


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """One file in schedules/. `label` is A1111's name; `aliases` are other names it goes by."""

    id: str
    label: str
    sigmas: Callable[[Spacing], Sigmas] | None
    """The noise levels of a run. None only for "automatic"."""
    place: int = 1000
    """Where it stands in lists: A1111's order, then Forge's, then the newer ones."""
    aliases: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    """The names of the `SamplerParameters` that count."""


class Schedules(Registry[Schedule]):
    """All schedules by id."""

    def find(self, name: str) -> str | None:
        """The id of the schedule with this id, label or alias, in any case; None if none has."""
        wanted = name.strip().lower()
        for schedule in self:
            if wanted in {n.lower() for n in (schedule.id, schedule.label, *schedule.aliases)}:
                return schedule.id
        return None


def load_schedules() -> Schedules:
    """The schedules that lie in this folder, in the order of their places."""
    found = cast("list[Schedule]", discover(webui.schedules, "SCHEDULE"))
    return Schedules(sorted(found, key=lambda schedule: schedule.place))
