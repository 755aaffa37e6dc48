"""Euler's method: follow the slope at the start of each step."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from webui.samplers.churn import READS, churned
from webui.samplers.sampler import Denoise, Run, Sampler, Step

if TYPE_CHECKING:
    from torch import Tensor


def sample_euler(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """Karras et al. 2022, algorithm 2 without its correction."""
    for i, (sigma, next_sigma) in enumerate(pairwise(run.sigmas)):
        x, sigma = churned(x, sigma, run)
        denoised = denoise(x, sigma)
        slope = (x - denoised) / sigma
        x = x + slope * (next_sigma - sigma)
        yield Step(index=i, x=x, denoised=denoised)


SAMPLER: Final = Sampler(
    id="euler", label="Euler", place=8, aliases=("k_euler",), sample=sample_euler, reads=READS
)
