"""DPM2 and DPM2 a: the midpoint method, with the middle taken on the scale of log sigma."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from webui.samplers.ancestral import ancestral_step, renoised
from webui.samplers.churn import READS, churned
from webui.samplers.sampler import Denoise, Run, Sampler, Step

if TYPE_CHECKING:
    from torch import Tensor


def sample_dpm_2(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """Lu et al. 2022, DPM-Solver-2, on Karras et al.'s probability flow."""
    for i, (sigma, next_sigma) in enumerate(pairwise(run.sigmas)):
        x, sigma = churned(x, sigma, run)
        x, denoised = _midpoint_step(denoise, x, sigma, next_sigma)
        yield Step(index=i, x=x, denoised=denoised)


def sample_dpm_2_ancestral(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """The same down to the ancestral level, then fresh noise."""
    for i, (sigma, next_sigma) in enumerate(pairwise(run.sigmas)):
        down, up = ancestral_step(sigma, next_sigma, run.eta())
        x, denoised = _midpoint_step(denoise, x, sigma, down)
        x = renoised(x, up, run)
        yield Step(index=i, x=x, denoised=denoised)


def _midpoint_step(
    denoise: Denoise, x: Tensor, sigma: float, next_sigma: float
) -> tuple[Tensor, Tensor]:
    """The latent after the step and the guess at its start. A step to 0 is one of Euler's."""
    denoised = denoise(x, sigma)
    slope = (x - denoised) / sigma
    if next_sigma == 0:
        return x + slope * (next_sigma - sigma), denoised
    middle = math.sqrt(sigma * next_sigma)
    half = x + slope * (middle - sigma)
    middle_slope = (half - denoise(half, middle)) / middle
    return x + middle_slope * (next_sigma - sigma), denoised


SAMPLER: Final = (
    Sampler(
        id="dpm_2",
        label="DPM2",
        place=11,
        aliases=("k_dpm_2",),
        sample=sample_dpm_2,
        default_schedule="karras",
        calls_per_step=2,
        discards_penultimate=True,
        reads=READS,
    ),
    Sampler(
        id="dpm_2_a",
        label="DPM2 a",
        place=12,
        aliases=("k_dpm_2_a", "k_dpm_2_ancestral", "dpm_2_ancestral", "dpm2_a"),
        sample=sample_dpm_2_ancestral,
        default_schedule="karras",
        calls_per_step=2,
        discards_penultimate=True,
        default_eta=1.0,
        reads=("eta", "noise_factor"),
    ),
)
