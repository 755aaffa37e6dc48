"""DPM++ 2S a: second order in a single step, down to the ancestral level, then fresh noise."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from webui.samplers.ancestral import ancestral_step, renoised, toward
from webui.samplers.sampler import Denoise, Run, Sampler, Step

if TYPE_CHECKING:
    from torch import Tensor


def sample_dpmpp_2s_ancestral(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """Lu et al. 2022, "DPM-Solver++", algorithm 1 with r = 1/2, on the ancestral levels."""
    for i, (sigma, next_sigma) in enumerate(pairwise(run.sigmas)):
        down, up = ancestral_step(sigma, next_sigma, run.eta())
        denoised = guess = denoise(x, sigma)
        if down > 0:
            middle = math.sqrt(sigma * down)
            guess = denoise(toward(x, denoised, sigma, middle), middle)
        x = renoised(toward(x, guess, sigma, down), up, run)
        yield Step(index=i, x=x, denoised=denoised)


SAMPLER: Final = Sampler(
    id="dpmpp_2s_a",
    label="DPM++ 2S a",
    place=5,
    aliases=(
        "k_dpmpp_2s_a",
        "k_dpmpp_2s_ancestral",
        "dpmpp_2s_ancestral",
        "DPM++ 2S Ancestral",
    ),
    sample=sample_dpmpp_2s_ancestral,
    default_schedule="karras",
    calls_per_step=2,
    default_eta=1.0,
    reads=("eta", "noise_factor"),
)
