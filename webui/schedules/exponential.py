"""Noise levels at equal distances on the scale of log sigma, or bent from it."""

from __future__ import annotations

from typing import Final

from webui.schedules.schedule import Schedule, Sigmas, Spacing


def exponential_sigmas(spacing: Spacing) -> Sigmas:
    """Each level the same part of the one before, then 0."""
    return _bent(spacing, 1.0)


def polyexponential_sigmas(spacing: Spacing) -> Sigmas:
    """log sigma falls as a power of the way left: rho above 1 spends more steps at low noise."""
    return _bent(spacing, spacing.parameters.rho or 1.0)


def _bent(spacing: Spacing, rho: float) -> Sigmas:
    ratio = spacing.largest / spacing.smallest
    parts = (1 - i / max(spacing.steps - 1, 1) for i in range(spacing.steps))
    return (*(spacing.smallest * ratio ** (part**rho) for part in parts), 0.0)


SCHEDULE: Final = (
    Schedule(
        id="exponential",
        label="Exponential",
        place=4,
        sigmas=exponential_sigmas,
        reads=("smallest_sigma", "largest_sigma"),
    ),
    Schedule(
        id="polyexponential",
        label="Polyexponential",
        place=5,
        sigmas=polyexponential_sigmas,
        reads=("smallest_sigma", "largest_sigma", "rho"),
    ),
)
