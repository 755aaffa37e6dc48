"""Euler ancestral: each step goes a little too far down and adds fresh noise."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from webui.samplers.sampler import Denoise, Run, Sampler, Step

if TYPE_CHECKING:
    from torch import Tensor


def sample_euler_ancestral(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """Euler's method on an SDE; never settles as steps grow. Draws noise for all but a last 0."""
    for i, (sigma, next_sigma) in enumerate(pairwise(run.sigmas)):
        denoised = denoise(x, sigma)
        down, up = ancestral_step(sigma, next_sigma)
        slope = (x - denoised) / sigma
        x = x + slope * (down - sigma)
        if up > 0:
            x = x + run.noise() * up
        yield Step(index=i, x=x, denoised=denoised)


def ancestral_step(sigma: float, next_sigma: float) -> tuple[float, float]:
    """The level to denoise down to, and the noise to add to be at `next_sigma` again.

    Ho et al. 2020's posterior variance in terms of sigma; down² + up² = next_sigma².
    """
    up = next_sigma * math.sqrt(1 - (next_sigma / sigma) ** 2)
    return math.sqrt(next_sigma**2 - up**2), up


SAMPLER: Final = Sampler(
    id="euler_a",
    label="Euler a",
    aliases=("k_euler_a", "k_euler_ancestral", "euler ancestral"),
    sample=sample_euler_ancestral,
    default_schedule="uniform",
)
