"""LCM and TCD: for models distilled to jump to the clean picture at once, and noise it again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from webui.samplers.ancestral import renoised
from webui.samplers.sampler import Denoise, Run, Sampler, Step

if TYPE_CHECKING:
    from torch import Tensor

    from webui.schedules.schedule import Sigmas, Spacing

TAUGHT: Final = 50
"""How many timesteps a latent consistency model was taught to jump from."""
TCD_ETA: Final = 0.3
"""The paper's gamma."""


def taught_levels(spacing: Spacing) -> Sigmas:
    """Even steps over the timesteps that the model was taught (19, 39, ... 999), then 0."""
    levels = spacing.levels
    stride = (levels.last_timestep + 1) // TAUGHT

    def between(index: float) -> float:
        low = min(int(index), TAUGHT - 2)
        below, above = (levels.sigma((i + 1) * stride - 1) for i in (low, low + 1))
        part = index - low
        return math.exp(math.log(below) * (1 - part) + math.log(above) * part)

    parts = (i / max(spacing.steps - 1, 1) for i in range(spacing.steps))
    return (*(between((TAUGHT - 1) * (1 - part)) for part in parts), 0.0)


def sample_lcm(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """Luo et al. 2023, algorithm 3, without the boundary factor, which is 1 to 5 digits."""
    for i, (sigma, next_sigma) in enumerate(pairwise(run.sigmas)):
        denoised = denoise(x, sigma)
        x = renoised(denoised, next_sigma, run)
        yield Step(index=i, x=x, denoised=denoised)


def sample_tcd(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """Zheng et al. 2024, algorithm 2: down to a part of the next timestep, then fresh noise."""
    keep = max(0.0, 1 - run.eta(TCD_ETA))
    for i, (sigma, next_sigma) in enumerate(pairwise(run.sigmas)):
        denoised = denoise(x, sigma)
        down = _part(run, next_sigma, keep)
        x = denoised + (x - denoised) * (down / sigma)
        x = renoised(x, math.sqrt(max(0.0, next_sigma**2 - down**2)), run)
        yield Step(index=i, x=x, denoised=denoised)


def _part(run: Run, sigma: float, keep: float) -> float:
    if sigma == 0 or run.levels is None:
        return sigma * keep
    return min(sigma, run.levels.sigma(run.levels.timestep(sigma) * keep))


SAMPLER: Final = (
    Sampler(
        id="lcm",
        label="LCM",
        place=20,
        aliases=("k_lcm",),
        sample=sample_lcm,
        own_sigmas=taught_levels,
        reads=("noise_factor",),
    ),
    Sampler(
        id="tcd",
        label="TCD",
        place=26,
        sample=sample_tcd,
        default_schedule="simple",
        default_eta=TCD_ETA,
        reads=("eta", "noise_factor"),
    ),
)
