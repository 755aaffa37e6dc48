"""DPM++ SDE: two stages a step, both with noise from one Brownian path."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from webui.samplers.ancestral import ancestral_step, toward
from webui.samplers.sampler import Denoise, Run, Sampler, Step

if TYPE_CHECKING:
    from torch import Tensor


def sample_dpmpp_sde(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """DPM-Solver++ of Lu et al. 2022, stochastic, single step, r = 1/2. A step to 0 is Euler's."""
    for i, (sigma, next_sigma) in enumerate(pairwise(run.sigmas)):
        denoised = guess = denoise(x, sigma)
        if next_sigma > 0:
            middle = math.sqrt(sigma * next_sigma)
            guess = denoise(_noisy_step(x, denoised, sigma, middle, run), middle)
        x = _noisy_step(x, guess, sigma, next_sigma, run)
        yield Step(index=i, x=x, denoised=denoised)


def _noisy_step(x: Tensor, guess: Tensor, sigma: float, next_sigma: float, run: Run) -> Tensor:
    down, up = ancestral_step(sigma, next_sigma, run.eta())
    x = toward(x, guess, sigma, down)
    if up == 0:
        return x
    return x + run.noise.between(sigma, next_sigma) * (up * run.parameters.noise_factor)


SAMPLER: Final = Sampler(
    id="dpmpp_sde",
    label="DPM++ SDE",
    place=2,
    aliases=("k_dpmpp_sde", "dpmpp_sde_gpu"),
    sample=sample_dpmpp_sde,
    default_schedule="karras",
    calls_per_step=2,
    default_eta=1.0,
    reads=("eta", "noise_factor"),
)
