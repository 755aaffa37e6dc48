"""Bong Tangent: two arctangents, one for each half of the noise levels."""

from __future__ import annotations

import math
from typing import Final

from webui.schedules.schedule import Schedule, Sigmas, Spacing

PIVOT: Final = 0.6
"""Where the levels fall fastest, as part of the run."""
SLOPE: Final = 0.2
"""How fast, for a run of 40 steps."""


def bong_tangent_sigmas(spacing: Spacing) -> Sigmas:
    """From the largest level to 0; the halves meet at half of it."""
    if spacing.steps == 1:
        return (spacing.largest, 0.0)
    count = spacing.steps + 2
    pivot = int(count * PIVOT)
    slope = SLOPE * 40 / count
    upper = _arc(pivot, slope, pivot)[:-1]
    lower = _arc(count - pivot, slope, 0)
    parts = [*(0.5 + part / 2 for part in upper), *(part / 2 for part in lower)]
    return tuple(spacing.largest * part for part in parts)


def _arc(count: int, slope: float, pivot: int) -> list[float]:
    """`count` values from 1 to 0, steepest at index `pivot`."""
    values = [-math.atan(slope * (i - pivot)) for i in range(count)]
    return [(value - values[-1]) / (values[0] - values[-1]) for value in values]


SCHEDULE: Final = Schedule(
    id="bong_tangent",
    label="Bong Tangent",
    place=18,
    aliases=("bong tangent",),
    sigmas=bong_tangent_sigmas,
    reads=("largest_sigma",),
)
