"""CFG++: the guess is guided, but the noise that is put back is that of the unguided guess."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from webui.samplers.ancestral import ancestral_step, renoised
from webui.samplers.sampler import Denoise, Run, Sampler, Step

if TYPE_CHECKING:
    from torch import Tensor

GUIDANCE_FACTOR: Final = 1 / 12.5
"""Brings the usual guidance scales to those of CFG++, as A1111 does: 7 becomes 0.56."""


def cfgpp_step(denoise: Denoise, x: Tensor, run: Run, eta: float) -> Iterator[Step]:
    """Chung et al. 2024, "CFG++", over all steps; with eta, fresh noise replaces a part."""
    for i, (sigma, next_sigma) in enumerate(pairwise(run.sigmas)):
        denoised, unguided = denoise.both(x, sigma)
        down, up = ancestral_step(sigma, next_sigma, eta)
        x = renoised(denoised + (x - unguided) * (down / sigma), up, run)
        yield Step(index=i, x=x, denoised=denoised)


def sample_euler_cfgpp(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """Without fresh noise: DDIM's CFG++ on any noise levels."""
    return cfgpp_step(denoise, x, run, 0.0)


def sample_euler_ancestral_cfgpp(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """With as much fresh noise as Euler a."""
    return cfgpp_step(denoise, x, run, run.eta())


SAMPLER: Final = (
    Sampler(
        id="euler_cfgpp",
        label="Euler CFG++",
        place=30,
        aliases=("euler_cfg_pp",),
        sample=sample_euler_cfgpp,
        guidance_factor=GUIDANCE_FACTOR,
    ),
    Sampler(
        id="euler_a_cfgpp",
        label="Euler a CFG++",
        place=31,
        aliases=("euler_ancestral_cfg_pp", "Euler Ancestral CFG++"),
        sample=sample_euler_ancestral_cfgpp,
        default_eta=1.0,
        guidance_factor=GUIDANCE_FACTOR,
        reads=("eta", "noise_factor"),
    ),
)
