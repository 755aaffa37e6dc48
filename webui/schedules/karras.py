"""Karras et al.'s spacing: long steps in heavy noise, short ones where detail appears."""

from __future__ import annotations

from typing import Final

from webui.schedules.schedule import Schedule, Sigmas, Spacing

RHO: Final = 7.0


def karras_sigmas(spacing: Spacing) -> Sigmas:
    """Karras et al. 2022, eq. 5, over the range of noise levels, then 0."""
    rho = spacing.parameters.rho or RHO
    first, last = spacing.largest ** (1 / rho), spacing.smallest ** (1 / rho)
    parts = (i / max(spacing.steps - 1, 1) for i in range(spacing.steps))
    return (*((first + part * (last - first)) ** rho for part in parts), 0.0)


SCHEDULE: Final = Schedule(
    id="karras",
    label="Karras",
    place=3,
    sigmas=karras_sigmas,
    reads=("smallest_sigma", "largest_sigma", "rho"),
)
