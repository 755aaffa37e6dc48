"""The gradient estimation sampler of Permenter & Yuan 2023 (arXiv 2306.04848), algorithm 2."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from webui.extend import Denoise, Run, Sampler, Step, hook

if TYPE_CHECKING:
    from torch import Tensor

GAMMA = 2.0
"""How far it goes beyond the newest slope, away from the one before; the paper's value."""


def sample(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """Euler, with the slope gamma * newest + (1 - gamma) * last; the first step is Euler's own."""
    last = None
    for i, (sigma, next_sigma) in enumerate(pairwise(run.sigmas)):
        denoised = denoise(x, sigma)
        slope = (x - denoised) / sigma
        lean = slope if last is None else GAMMA * slope + (1 - GAMMA) * last
        last = slope
        x = denoised if next_sigma == 0 else x + lean * (next_sigma - sigma)
        yield Step(index=i, x=x, denoised=denoised)


@hook
def register_samplers(register: Callable[[Sampler], None]) -> None:
    """One sampler, behind those that come with the program."""
    register(Sampler(id="gradient_estimation", label="Gradient estimation", sample=sample))
