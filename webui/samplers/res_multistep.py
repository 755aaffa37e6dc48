"""Res Multistep: an exponential integrator of second order that looks back one step."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from webui.samplers.ancestral import ancestral_step, renoised, toward
from webui.samplers.sampler import Denoise, Run, Sampler, Step

if TYPE_CHECKING:
    from torch import Tensor


def _sample(denoise: Denoise, x: Tensor, run: Run, eta: float) -> Iterator[Step]:
    """Zhang et al. 2023, "Improved Order Analysis and Design of Exponential Integrator for
    Diffusion Models Sampling": exact for a guess that changes evenly in log sigma."""
    before: Tensor | None = None
    last_length = 0.0
    for i, (sigma, next_sigma) in enumerate(pairwise(run.sigmas)):
        denoised = denoise(x, sigma)
        down, up = ancestral_step(sigma, next_sigma, eta)
        x = toward(x, denoised, sigma, down)
        if before is not None and down > 0:
            length = math.log(sigma / down)
            phi_2 = 1 + math.expm1(-length) / length
            x = x + (denoised - before) * (phi_2 * length / last_length)
        x = renoised(x, up, run)
        # from level to ancestral level: with fresh noise between them, two guesses tell less
        before, last_length = denoised, math.log(sigma / down) if down else math.inf
        yield Step(index=i, x=x, denoised=denoised)


def sample_res_multistep(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """Without fresh noise."""
    return _sample(denoise, x, run, 0.0)


def sample_res_multistep_ancestral(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """Each step ends at the ancestral level, then fresh noise."""
    return _sample(denoise, x, run, run.eta())


SAMPLER: Final = (
    Sampler(
        id="res_multistep",
        label="Res Multistep",
        place=28,
        aliases=("res_multistep_cfg", "res multistep"),
        sample=sample_res_multistep,
    ),
    Sampler(
        id="res_multistep_a",
        label="Res Multistep a",
        place=29,
        aliases=("res_multistep_ancestral", "Res Multistep Ancestral"),
        sample=sample_res_multistep_ancestral,
        default_eta=1.0,
        reads=("eta", "noise_factor"),
    ),
)
