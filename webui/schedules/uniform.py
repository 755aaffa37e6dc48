"""The model's own spacing: timesteps of its training at equal distances."""

from __future__ import annotations

from typing import Final

from webui.schedules.schedule import Schedule, Sigmas, Spacing


def uniform_sigmas(spacing: Spacing) -> Sigmas:
    """From the last timestep to timestep 0, both included, then 0."""
    levels = spacing.levels
    parts = (i / max(spacing.steps - 1, 1) for i in range(spacing.steps))
    return (*(levels.sigma(levels.last_timestep * (1 - part)) for part in parts), 0.0)


SCHEDULE: Final = Schedule(
    id="uniform", label="Uniform", aliases=("default",), sigmas=uniform_sigmas
)
