"""Linear Quadratic: tiny even steps in heavy noise, then steps that grow."""

from __future__ import annotations

from typing import Final

from webui.schedules.schedule import Schedule, Sigmas, Spacing

THRESHOLD: Final = 0.025
"""The part of the largest level that the first half of the steps removes."""


def linear_quadratic_sigmas(spacing: Spacing) -> Sigmas:
    """As Genmo's Mochi was sampled, with its parts taken of the largest level, down to 0."""
    count, largest = spacing.steps, spacing.largest
    half = count // 2
    removed = [THRESHOLD * i / half for i in range(half)]
    if half == 0:
        return (largest, 0.0)
    rest = count - half
    slope = THRESHOLD / half  # goes on from the line, and reaches 1 after the last step
    bend = (1 - THRESHOLD - slope * rest) / rest**2
    removed += [THRESHOLD + slope * i + bend * i**2 for i in range(rest)]
    return (*(largest * (1 - part) for part in removed), 0.0)


SCHEDULE: Final = Schedule(
    id="linear_quadratic",
    label="Linear Quadratic",
    place=17,
    aliases=("linear quadratic",),
    sigmas=linear_quadratic_sigmas,
    reads=("largest_sigma",),
)
