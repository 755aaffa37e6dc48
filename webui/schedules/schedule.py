"""What a schedule is, and the table of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

import webui.schedules
from webui.core.registry import Registry, discover
from webui.schedules.noise_levels import NoiseLevels

AUTOMATIC: Final = "automatic"
"""The id that stands for the sampler's own default."""

Sigmas = tuple[float, ...]
"""Noise levels from the first to 0, one more than there are steps."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """One file in schedules/. `label` is A1111's name; `aliases` are other names it goes by."""

    id: str
    label: str
    sigmas: Callable[[NoiseLevels, int], Sigmas] | None
    """The noise levels of a run of so many steps. None only for "automatic"."""
    aliases: tuple[str, ...] = ()


class Schedules(Registry[Schedule]):
    """All schedules by id."""

    def find(self, name: str) -> str | None:
        """The id of the schedule with this id, label or alias, in any case; None if none has."""
        wanted = name.strip().lower()
        for schedule in self:
            if wanted in {n.lower() for n in (schedule.id, schedule.label, *schedule.aliases)}:
                return schedule.id
        return None

    def sigmas(self, id: str, default: str, levels: NoiseLevels, steps: int) -> Sigmas:
        """The noise levels of a run; `default` is the sampler's schedule. Raises KeyError."""
        spacing = self[id].sigmas or self[default].sigmas
        if spacing is None:
            raise KeyError(default)
        return spacing(levels, steps)


def load_schedules() -> Schedules:
    """The schedules that lie in this folder."""
    return Schedules(cast("list[Schedule]", discover(webui.schedules, "SCHEDULE")))
