"""Schedules that take the model's timesteps in even steps, each from another place."""

from __future__ import annotations

from typing import Final

from webui.schedules.schedule import Schedule, Sigmas, Spacing


def uniform_sigmas(spacing: Spacing) -> Sigmas:
    """From the last timestep to timestep 0, both included, then 0."""
    levels = spacing.levels
    return _from_to(spacing, levels.last_timestep, 0, max(spacing.steps - 1, 1))


def normal_sigmas(spacing: Spacing) -> Sigmas:
    """The same between the timesteps of the largest and the smallest level."""
    first, last = _range(spacing)
    return _from_to(spacing, first, last, max(spacing.steps - 1, 1))


def sgm_uniform_sigmas(spacing: Spacing) -> Sigmas:
    """The last timestep is left out, so that the last step, to 0, is as long as the others."""
    first, last = _range(spacing)
    return _from_to(spacing, first, last, spacing.steps)


def simple_sigmas(spacing: Spacing) -> Sigmas:
    """Whole timesteps counted down from the last, rounded up."""
    count = spacing.levels.last_timestep + 1
    steps = (count - 1 - int(i * count / spacing.steps) for i in range(spacing.steps))
    return (*(spacing.levels.sigma(step) for step in steps), 0.0)


def ddim_sigmas(spacing: Spacing) -> Sigmas:
    """Every so many timesteps, counted up from 1: sometimes more levels than were asked for."""
    count = spacing.levels.last_timestep + 1
    if spacing.steps == 1:  # timestep 1 alone would leave pure noise as it is
        return (spacing.levels.largest, 0.0)
    steps = range(1, count, max(1, count // spacing.steps))
    return (*(spacing.levels.sigma(step) for step in reversed(steps)), 0.0)


def turbo_sigmas(spacing: Spacing) -> Sigmas:
    """The last timestep and even parts of it, as models distilled to few steps were taught."""
    count = spacing.levels.last_timestep + 1
    parts = (1 - i / spacing.steps for i in range(spacing.steps))
    return (*(spacing.levels.sigma(max(0, round(count * part - 1))) for part in parts), 0.0)


def _range(spacing: Spacing) -> tuple[float, float]:
    levels = spacing.levels
    return levels.timestep(spacing.largest), levels.timestep(spacing.smallest)


def _from_to(spacing: Spacing, first: float, last: float, parts: int) -> Sigmas:
    steps = (first + (last - first) * i / parts for i in range(spacing.steps))
    return (*(spacing.levels.sigma(step) for step in steps), 0.0)


RANGE: Final = ("smallest_sigma", "largest_sigma")
SCHEDULE: Final = (
    Schedule(id="uniform", label="Uniform", place=2, aliases=("default",), sigmas=uniform_sigmas),
    Schedule(
        id="sgm_uniform",
        label="SGM Uniform",
        place=6,
        aliases=("SGMUniform",),
        sigmas=sgm_uniform_sigmas,
        reads=RANGE,
    ),
    Schedule(id="simple", label="Simple", place=9, sigmas=simple_sigmas),
    Schedule(id="normal", label="Normal", place=10, sigmas=normal_sigmas, reads=RANGE),
    Schedule(id="ddim", label="DDIM", place=11, aliases=("ddim_uniform",), sigmas=ddim_sigmas),
    Schedule(id="turbo", label="Turbo", place=13, sigmas=turbo_sigmas),
)
