"""Restart: Heun's steps, and in their middle jumps back up into noise to lose old errors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from webui.samplers.heun import heun_step
from webui.samplers.sampler import Denoise, Run, Sampler, Step

if TYPE_CHECKING:
    from torch import Tensor

RHO: Final = 7.0
LOW: Final = 0.1
HIGH: Final = 2.0
"""The noise levels from which and to which it jumps, taken at the nearest of the run."""


@dataclass(frozen=True, kw_only=True)
class Restarts:
    """How often it jumps, and how many steps come down again each time."""

    times: int
    steps: int


def restarts_of(steps: int) -> Restarts:
    """Of a run of so many steps in all: A1111's choice. None below 20."""
    if steps < 20:
        return Restarts(times=0, steps=0)
    return Restarts(times=1, steps=9) if steps < 36 else Restarts(times=2, steps=steps // 4)


def sample_restart(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """Xu et al. 2023, algorithm 1. With jumps the levels are Karras's over the run's range."""
    legs = _legs(run.sigmas)
    before = run.sigmas[0]
    for i, (sigma, next_sigma) in enumerate(legs):
        if sigma > before:
            spread = run.parameters.noise_factor * math.sqrt(sigma**2 - before**2)
            x = x + run.noise() * spread
        x, denoised = heun_step(denoise, x, sigma, next_sigma)
        before = next_sigma
        yield Step(index=run.index(i + 1, len(legs)), x=x, denoised=denoised)


def _legs(sigmas: Sequence[float]) -> list[tuple[float, float]]:
    """All steps in order; where one starts above the end of the last, there is a jump."""
    restarts = restarts_of(len(sigmas) - 1)
    if restarts.times == 0:
        return list(pairwise(sigmas))
    levels = _fewer(sigmas, len(sigmas) - 1 - restarts.times * restarts.steps)
    low, high = _nearest(levels, LOW), _nearest(levels, HIGH)
    if not 0 <= high < low:
        return list(pairwise(levels))
    back = _karras(levels[high], levels[low], restarts.steps + 1)
    jumps = list(pairwise(back)) * restarts.times
    return [*pairwise(levels[: low + 1]), *jumps, *pairwise(levels[low:])]


def _fewer(sigmas: Sequence[float], steps: int) -> list[float]:
    """The same range in so many steps."""
    if sigmas[-1] > 0:
        return _karras(sigmas[0], sigmas[-1], steps + 1)
    return [*_karras(sigmas[0], sigmas[-2], steps), 0.0]


def _nearest(levels: Sequence[float], wanted: float) -> int:
    return min(range(len(levels)), key=lambda i: abs(levels[i] - wanted))


def _karras(first: float, last: float, count: int) -> list[float]:
    start, end = first ** (1 / RHO), last ** (1 / RHO)
    parts = (i / (count - 1) for i in range(count))
    return [(start + part * (end - start)) ** RHO for part in parts]


SAMPLER: Final = Sampler(
    id="restart",
    label="Restart",
    place=15,
    sample=sample_restart,
    default_schedule="karras",
    calls_per_step=2,
    reads=("noise_factor",),
)
