"""Karras et al.'s spacing: long steps in heavy noise, short ones where detail appears."""

from __future__ import annotations

from typing import Final

from webui.schedules.noise_levels import NoiseLevels
from webui.schedules.schedule import Schedule, Sigmas

RHO: Final = 7.0


def karras_sigmas(levels: NoiseLevels, steps: int) -> Sigmas:
    """Karras et al. 2022, eq. 5, over the model's range of noise levels, then 0."""
    first, last = levels.largest ** (1 / RHO), levels.smallest ** (1 / RHO)
    parts = (i / max(steps - 1, 1) for i in range(steps))
    return (*((first + part * (last - first)) ** RHO for part in parts), 0.0)


SCHEDULE: Final = Schedule(id="karras", label="Karras", sigmas=karras_sigmas)
