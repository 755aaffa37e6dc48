"""Which noise levels a pass walks. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from webui.core.errors import InvalidRequest
from webui.engine.passes.plan import Pass
from webui.samplers.sampler import Sampler, Samplers
from webui.schedules.noise_levels import NoiseLevels
from webui.schedules.schedule import Schedules, Sigmas
from webui.schedules.walk import walk_sigmas

WHOLE_STRENGTH: Final = 0.999
"""The denoising strength that stands for all steps but one in A1111's count."""


@dataclass(frozen=True, kw_only=True)
class Walk:
    """The noise levels that a pass walks, and those of the whole run that they end."""

    sigmas: Sigmas
    whole: Sigmas

    @property
    def steps(self) -> int:
        """How often the latents are brought to a lower level."""
        return len(self.sigmas) - 1

    @property
    def span(self) -> tuple[float, float]:
        """The smallest level above 0 and the largest, of the whole run."""
        above = [sigma for sigma in self.whole if sigma > 0]
        return min(above, default=0.0), max(above, default=0.0)


def pass_sampler(this: Pass, samplers: Samplers, schedules: Schedules) -> Sampler:
    """The pass's sampler. Raises InvalidRequest when there is none, or no such schedule."""
    part = "hires" if this.is_hires else "sampling"
    sampler = samplers.get(this.recipe.sampler)
    if sampler is None:
        raise InvalidRequest(
            f"{part}.sampler",
            f"There is no sampler “{this.recipe.sampler}”. {_choices(samplers)}",
        )
    if this.recipe.schedule not in schedules:
        raise InvalidRequest(
            f"{part}.schedule",
            f"There is no schedule “{this.recipe.schedule}”. {_choices(schedules)}",
        )
    return sampler


def pass_walk(this: Pass, sampler: Sampler, schedules: Schedules, levels: NoiseLevels) -> Walk:
    """Which levels a pass walks, and of which run. Raises InvalidRequest for an empty range."""
    recipe, strength = this.recipe, this.denoising_strength
    steps = recipe.steps
    if strength and this.has_exact_steps:
        steps = exact_length(steps, strength)
    whole = walk_sigmas(
        sampler,
        schedules,
        recipe.schedule,
        levels,
        steps,
        recipe.parameters,
        recipe.model.family,
    )
    if strength is None:
        return Walk(sigmas=whole, whole=whole)
    kept = recipe.steps - 1 if this.has_exact_steps and strength else kept_steps(steps, strength)
    has_own = sampler.own_sigmas is not None and schedules[recipe.schedule].sigmas is None
    kept += sampler.own_extra_steps if has_own else 1
    sigmas = whole[-1:] if not strength else whole[-max(kept + 1, 1) :]
    return Walk(sigmas=sigmas, whole=whole)


def kept_steps(steps: int, strength: float) -> int:
    """A1111's count of the steps that a denoising strength leaves, before the last one."""
    return int(min(strength, WHOLE_STRENGTH) * steps)


def exact_length(steps: int, strength: float) -> int:
    """The steps of a run of which `strength` leaves just `steps`: 26 for 20 at 0.75."""
    return int(steps / min(strength, WHOLE_STRENGTH))


def _choices(parts: Samplers | Schedules) -> str:
    return f"Choose one of: {', '.join(part.id for part in parts)}."
