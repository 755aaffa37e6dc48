"""Heun's method: try an Euler step, then go by the mean of the slopes at its two ends."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from webui.samplers.churn import READS, churned
from webui.samplers.sampler import Denoise, Run, Sampler, Step

if TYPE_CHECKING:
    from torch import Tensor


def sample_heun(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """Karras et al. 2022, algorithm 2."""
    for i, (sigma, next_sigma) in enumerate(pairwise(run.sigmas)):
        x, sigma = churned(x, sigma, run)
        x, denoised = heun_step(denoise, x, sigma, next_sigma)
        yield Step(index=i, x=x, denoised=denoised)


def heun_step(
    denoise: Denoise, x: Tensor, sigma: float, next_sigma: float
) -> tuple[Tensor, Tensor]:
    """The latent after the step and the guess at its start. A step to 0 is one of Euler's."""
    denoised = denoise(x, sigma)
    slope = (x - denoised) / sigma
    tried = x + slope * (next_sigma - sigma)
    if next_sigma == 0:
        return tried, denoised
    end_slope = (tried - denoise(tried, next_sigma)) / next_sigma
    return x + (slope + end_slope) / 2 * (next_sigma - sigma), denoised


SAMPLER: Final = Sampler(
    id="heun",
    label="Heun",
    place=10,
    aliases=("k_heun",),
    sample=sample_heun,
    calls_per_step=2,
    reads=READS,
)
