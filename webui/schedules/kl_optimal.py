"""KL Optimal: even steps of the angle whose tangent is sigma."""

from __future__ import annotations

import math
from typing import Final

from webui.schedules.schedule import Schedule, Sigmas, Spacing


def kl_optimal_sigmas(spacing: Spacing) -> Sigmas:
    """Sabour et al. 2024, eq. 9: the best for Gaussian data. Ends at the smallest level, not 0."""
    first, last = math.atan(spacing.largest), math.atan(spacing.smallest)
    count = spacing.steps
    return tuple(math.tan(first + (last - first) * i / count) for i in range(count + 1))


SCHEDULE: Final = Schedule(
    id="kl_optimal",
    label="KL Optimal",
    place=7,
    aliases=("KL-optimal",),
    sigmas=kl_optimal_sigmas,
    reads=("smallest_sigma", "largest_sigma"),
)
