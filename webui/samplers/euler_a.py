"""Euler ancestral: each step goes a little too far down and adds fresh noise. DDPM is the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from webui.samplers.ancestral import ancestral_step, renoised
from webui.samplers.sampler import Denoise, Run, Sampler, Step

if TYPE_CHECKING:
    from torch import Tensor


def sample_euler_ancestral(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """Euler's method on an SDE; never settles as steps grow."""
    for i, (sigma, next_sigma) in enumerate(pairwise(run.sigmas)):
        denoised = denoise(x, sigma)
        down, up = ancestral_step(sigma, next_sigma, run.eta())
        slope = (x - denoised) / sigma
        x = renoised(x + slope * (down - sigma), up, run)
        yield Step(index=i, x=x, denoised=denoised)


def sample_ddpm(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """Ho et al. 2020, algorithm 2, for latents whose picture keeps its variance: in terms of
    sigma the mean and the spread of its posterior are those of Euler ancestral with eta 1."""
    plain = replace(run.parameters, eta=1.0)
    return sample_euler_ancestral(denoise, x, replace(run, parameters=plain))


SAMPLER: Final = (
    Sampler(
        id="euler_a",
        label="Euler a",
        place=7,
        aliases=("k_euler_a", "k_euler_ancestral", "euler ancestral", "euler_ancestral"),
        sample=sample_euler_ancestral,
        default_eta=1.0,
        reads=("eta", "noise_factor"),
    ),
    Sampler(id="ddpm", label="DDPM", place=25, sample=sample_ddpm, reads=("noise_factor",)),
)
