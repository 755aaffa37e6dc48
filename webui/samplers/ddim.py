"""The samplers that A1111 runs on timesteps: DDIM, PLMS and, beside DDIM, its CFG++."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from webui.samplers.adams import FIXED
from webui.samplers.ancestral import ancestral_step, renoised
from webui.samplers.cfgpp import GUIDANCE_FACTOR, cfgpp_step
from webui.samplers.multistep import weighted_sum
from webui.samplers.sampler import Denoise, Run, Sampler, Step

if TYPE_CHECKING:
    from torch import Tensor

    from webui.schedules.schedule import Sigmas, Spacing


def ddim_levels(spacing: Spacing) -> Sigmas:
    """Every so many of the model's timesteps, from 1 up: to A1111's count, so 20 steps take 19
    and 30 take 30. The last level is not 0. One step is one, though A1111 would take none."""
    count = spacing.levels.last_timestep + 1
    steps = range(1, count + 1, max(1, count // spacing.steps))
    levels = [spacing.levels.sigma(min(step, count - 1)) for step in reversed(steps)]
    return tuple(levels) if len(levels) > 1 else (spacing.levels.largest, *levels)


def sample_ddim(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """Song et al. 2021, eq. 12. In terms of sigma it is an ancestral Euler step; eta is 0 unless
    asked for."""
    for i, (sigma, next_sigma) in enumerate(pairwise(run.sigmas)):
        denoised = denoise(x, sigma)
        down, up = ancestral_step(sigma, next_sigma, run.eta(0.0))
        x = renoised(denoised + (x - denoised) * (down / sigma), up, run)
        yield Step(index=i, x=x, denoised=denoised)


def sample_ddim_cfgpp(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """Chung et al. 2024, "CFG++", algorithm 2: noise is put back along the unguided guess."""
    return cfgpp_step(denoise, x, run, run.eta(0.0))


def sample_plms(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """Liu et al. 2022, PNDM with Adams-Bashforth only; the first step is one of Heun's."""
    slopes: list[Tensor] = []
    for i, (sigma, next_sigma) in enumerate(pairwise(run.sigmas)):
        slopes = [(x - denoise(x, sigma)) / sigma, *slopes][:4]
        slope = weighted_sum(FIXED[len(slopes) - 1], slopes)
        if i == 0 and next_sigma > 0:
            tried = x + slope * (next_sigma - sigma)
            slope = (slope + (tried - denoise(tried, next_sigma)) / next_sigma) / 2
        denoised = x - slope * sigma
        x = x + slope * (next_sigma - sigma)
        yield Step(index=i, x=x, denoised=denoised)


SAMPLER: Final = (
    Sampler(
        id="ddim",
        label="DDIM",
        place=16,
        sample=sample_ddim,
        own_sigmas=ddim_levels,
        own_extra_steps=-1,
        default_eta=0.0,
        is_variance_preserving=True,
        reads=("eta", "noise_factor"),
    ),
    Sampler(
        id="ddim_cfgpp",
        label="DDIM CFG++",
        place=17,
        sample=sample_ddim_cfgpp,
        own_sigmas=ddim_levels,
        own_extra_steps=-1,
        default_eta=0.0,
        guidance_factor=GUIDANCE_FACTOR,
        is_variance_preserving=True,
        reads=("eta", "noise_factor"),
    ),
    Sampler(
        id="plms",
        label="PLMS",
        place=18,
        aliases=("pndm",),
        sample=sample_plms,
        own_sigmas=ddim_levels,
        own_extra_steps=-1,
        is_variance_preserving=True,
    ),
)
