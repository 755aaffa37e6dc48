"""From a choice of sampler and schedule to the noise levels of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from webui.core.request import SamplerParameters
from webui.schedules.noise_levels import NoiseLevels
from webui.schedules.schedule import Schedules, Sigmas, Spacing


class Walker(Protocol):
    """What a sampler says about the levels it walks: samplers.Sampler, seen from here."""

    @property
    def default_schedule(self) -> str:
        """The id of the schedule that "automatic" stands for."""
        ...

    @property
    def own_sigmas(self) -> Callable[[Spacing], Sigmas] | None:
        """The levels that "automatic" stands for, in place of a schedule."""
        ...

    @property
    def discards_penultimate(self) -> bool:
        """Whether the last level but one is left out."""
        ...


def walk_sigmas(
    sampler: Walker,
    schedules: Schedules,
    schedule_id: str,
    levels: NoiseLevels,
    steps: int,
    parameters: SamplerParameters,
    family: str,
) -> Sigmas:
    """The noise levels of a whole run. Raises KeyError for an unknown schedule, InvalidRequest
    for a range of noise levels that is none."""
    spaced = levels.spaced
    spacing = Spacing(levels=spaced, steps=steps, parameters=parameters, family=family)
    space = schedules[schedule_id].sigmas or sampler.own_sigmas
    space = space or schedules[sampler.default_schedule].sigmas
    if space is None:
        raise KeyError(sampler.default_schedule)
    discards = parameters.discard_penultimate
    if discards is None:
        discards = sampler.discards_penultimate
    if not discards:
        return levels.from_spaced(space(spacing))
    longer = space(replace(spacing, steps=steps + 1))
    return levels.from_spaced((*longer[:-2], longer[-1]))
