"""DPM++ 2M: second order at the price of one denoising a step, by looking back one step."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from webui.samplers.sampler import Denoise, Run, Sampler, Step

if TYPE_CHECKING:
    from torch import Tensor


def sample_dpmpp_2m(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """Lu et al. 2022, "DPM-Solver++", algorithm 2, with t = -log sigma. Draws no noise."""
    before: Tensor | None = None
    last_length = 0.0
    for i, (sigma, next_sigma) in enumerate(pairwise(run.sigmas)):
        denoised = denoise(x, sigma)
        length = math.log(sigma / next_sigma) if next_sigma > 0 else math.inf
        target = denoised
        if before is not None and next_sigma > 0:
            # the straight line through the last two guesses, at the middle of this step
            ahead = length / (2 * last_length)
            target = denoised * (1 + ahead) - before * ahead
        kept = next_sigma / sigma
        x = x * kept + target * (1 - kept)
        before, last_length = denoised, length
        yield Step(index=i, x=x, denoised=denoised)


SAMPLER: Final = Sampler(
    id="dpmpp_2m",
    label="DPM++ 2M",
    place=1,
    aliases=("k_dpmpp_2m", "dpm++ 2m"),
    sample=sample_dpmpp_2m,
    default_schedule="karras",
)
