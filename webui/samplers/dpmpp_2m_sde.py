"""DPM++ 2M SDE and 3M SDE: look back one or two steps, with noise from one Brownian path."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from webui.samplers.sampler import Denoise, Run, Sampler, Step

if TYPE_CHECKING:
    from torch import Tensor

Bend = Callable[["Sequence[Tensor]", "Sequence[float]", float], "Tensor"]
"""What earlier guesses add to a step: from the guesses and the lengths of the steps between them,
both newest first and at least two guesses, and (1 + eta) times the length of this step, which is
`lengths[0]`. All lengths are in log sigma."""


def _sample(denoise: Denoise, x: Tensor, run: Run, bend: Bend, memory: int) -> Iterator[Step]:
    """Lu et al. 2022's multistep solver for the diffusion SDE, in t = -log sigma."""
    eta = run.eta()
    guesses: list[Tensor] = []
    lengths: list[float] = []
    for i, (sigma, next_sigma) in enumerate(pairwise(run.sigmas)):
        denoised = denoise(x, sigma)
        if next_sigma == 0:
            x = denoised
        else:
            guesses = [denoised, *guesses][:memory]
            lengths = [math.log(sigma / next_sigma), *lengths][:memory]
            decay = lengths[0] * (1 + eta)
            x = x * math.exp(-decay) - denoised * math.expm1(-decay)
            if len(guesses) > 1:
                x = x + bend(guesses, lengths, decay)
            spread = next_sigma * math.sqrt(-math.expm1(-2 * eta * lengths[0]))
            if spread > 0:
                spread *= run.parameters.noise_factor
                x = x + run.noise.between(sigma, next_sigma) * spread
        yield Step(index=i, x=x, denoised=denoised)


def sample_dpmpp_2m_sde(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """The variant that takes the change of the guess at the middle of the step."""

    def midpoint(guesses: Sequence[Tensor], lengths: Sequence[float], decay: float) -> Tensor:
        change = (guesses[0] - guesses[1]) * (lengths[0] / lengths[1])
        return change * (-math.expm1(-decay) / 2)

    return _sample(denoise, x, run, midpoint, 2)


def sample_dpmpp_2m_sde_heun(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """The variant that integrates a guess which changes evenly."""

    def even(guesses: Sequence[Tensor], lengths: Sequence[float], decay: float) -> Tensor:
        return (guesses[0] - guesses[1]) * (lengths[0] / lengths[1] * _phi_2(decay))

    return _sample(denoise, x, run, even, 2)


def sample_dpmpp_3m_sde(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """Third order: a parabola through the last three guesses."""

    def parabola(guesses: Sequence[Tensor], lengths: Sequence[float], decay: float) -> Tensor:
        back = lengths[1] / lengths[0]
        change = (guesses[0] - guesses[1]) / back
        if len(guesses) == 2:
            return change * _phi_2(decay)
        further = lengths[2] / lengths[0]
        older = (guesses[1] - guesses[2]) / further
        bent = (change - older) / (back + further)
        phi_2 = _phi_2(decay)
        return (change + bent * back) * phi_2 - bent * (phi_2 / decay - 0.5)

    return _sample(denoise, x, run, parabola, 3)


def _phi_2(decay: float) -> float:
    return math.expm1(-decay) / decay + 1


SAMPLER: Final = (
    Sampler(
        id="dpmpp_2m_sde",
        label="DPM++ 2M SDE",
        place=3,
        aliases=("k_dpmpp_2m_sde", "dpmpp_2m_sde_gpu"),
        sample=sample_dpmpp_2m_sde,
        default_schedule="exponential",
        default_eta=1.0,
        reads=("eta", "noise_factor"),
    ),
    Sampler(
        id="dpmpp_2m_sde_heun",
        label="DPM++ 2M SDE Heun",
        place=4,
        aliases=("k_dpmpp_2m_sde_heun", "dpmpp_2m_sde_heun_gpu"),
        sample=sample_dpmpp_2m_sde_heun,
        default_schedule="exponential",
        default_eta=1.0,
        reads=("eta", "noise_factor"),
    ),
    Sampler(
        id="dpmpp_3m_sde",
        label="DPM++ 3M SDE",
        place=6,
        aliases=("k_dpmpp_3m_sde", "dpmpp_3m_sde_gpu"),
        sample=sample_dpmpp_3m_sde,
        default_schedule="exponential",
        discards_penultimate=True,
        default_eta=1.0,
        reads=("eta", "noise_factor"),
    ),
)
