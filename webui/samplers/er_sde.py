"""ER SDE: third order over an SDE whose noise was chosen for few steps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from webui.samplers.ancestral import renoised
from webui.samplers.multistep import integral
from webui.samplers.sampler import Denoise, Run, Sampler, Step

if TYPE_CHECKING:
    from torch import Tensor


def sample_er_sde(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """Cui et al. 2023, "ER-SDE-Solvers", algorithm 5. A step to 0 takes the guess."""
    levels: list[float] = []
    guess: Tensor | None = None
    change: Tensor | None = None
    for i, (sigma, next_sigma) in enumerate(pairwise(run.sigmas)):
        denoised = denoise(x, sigma)
        if next_sigma == 0:
            x = denoised
        else:
            kept = scale(next_sigma) / scale(sigma)
            x = x * kept + denoised * (1 - kept)
            if guess is not None:
                older, change = change, (denoised - guess) / (sigma - levels[0])
                x = x + change * _weight(sigma, next_sigma, 1)
                if older is not None:
                    bend = (change - older) / ((sigma - levels[1]) / 2)
                    x = x + bend * _weight(sigma, next_sigma, 2)
            up = math.sqrt(max(0.0, next_sigma**2 - (sigma * kept) ** 2))
            x = renoised(x, up, run)
        guess, levels = denoised, [sigma, *levels][:2]
        yield Step(index=i, x=x, denoised=denoised)


def scale(sigma: float) -> float:
    """The paper's noise scale ER-SDE 5: the larger its fall, the more noise is fresh."""
    return sigma * (math.exp(sigma**0.3) + 10)


def _weight(sigma: float, end: float, power: int) -> float:
    """The integral over the step of (s - sigma)^power / power! against the SDE's own decay."""

    def inside(s: float) -> float:
        return (s - sigma) ** (power - 1) / scale(s)

    return (end - sigma) ** power / power + scale(end) * integral(inside, end, sigma)


SAMPLER: Final = Sampler(
    id="er_sde",
    label="ER SDE",
    place=27,
    aliases=("er-sde",),
    sample=sample_er_sde,
    reads=("noise_factor",),
)
