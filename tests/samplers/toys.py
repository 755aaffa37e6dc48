"""Denoisers whose answers are known, and noise that both sides of a comparison can draw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from webui.core.request import SamplerParameters
from webui.samplers.sampler import Run, Sampler, Step
from webui.schedules.noise_levels import NoiseLevels

Floats = npt.NDArray[np.float64]
LEVELS = NoiseLevels((np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2).tolist())


class Gaussian:
    """The best denoiser for data with spread s around m: D(x) = (s² x + sigma² m) / (s² + sigma²).

    Every x - m shrinks on its way as sqrt(s² + sigma²). It notes the levels it is asked at.
    """

    def __init__(self, mean: float = 0.3, spread: float = 0.8) -> None:
        self.mean, self.spread = mean, spread
        self.asked: list[float] = []

    def __call__(self, x: Floats, sigma: float) -> Floats:
        self.asked.append(sigma)
        return self.guess(x, sigma)

    def both(self, x: Floats, sigma: float) -> tuple[Floats, Floats]:
        guess = self(x, sigma)
        return guess, guess

    def guess(self, x: Floats, sigma: float) -> Floats:
        return (self.spread**2 * x + sigma**2 * self.mean) / (self.spread**2 + sigma**2)

    def exact(self, x: Floats, sigma: float, end: float) -> Floats:
        """Where the way of x from sigma to `end` leads without fresh noise."""
        shrunk = math.sqrt((self.spread**2 + end**2) / (self.spread**2 + sigma**2))
        return self.mean + (x - self.mean) * shrunk


class TwoHills(Gaussian):
    """The best denoiser for data with spread s around 1 or -1: as curved as a picture's."""

    def guess(self, x: Floats, sigma: float) -> Floats:
        width = self.spread**2 + sigma**2
        return np.asarray((self.spread**2 * x + sigma**2 * np.tanh(x / width)) / width)


class Draws:
    """Random noise for an array, times a factor; each `between` is drawn anew."""

    def __init__(self, like: Floats, factor: float = 1.0) -> None:
        self._random, self._shape, self._factor = np.random.default_rng(0), like.shape, factor

    def __call__(self) -> Floats:
        return self._random.normal(size=self._shape) * self._factor

    def between(self, sigma: float, next_sigma: float) -> Floats:
        return self()


class Written:
    """Noise by a formula, for four numbers: what the reference numbers were made with."""

    def __init__(self) -> None:
        self._drawn = 0

    def __call__(self) -> Floats:
        self._drawn += 1
        return np.asarray(np.sin(np.arange(4) * 1.7 + 2.3 * self._drawn) * 1.3)

    def between(self, sigma: float, next_sigma: float) -> Floats:
        angle = np.arange(4) * 1.1 + 3 * math.log(sigma) + 5 * math.log(next_sigma)
        return np.asarray(np.cos(angle) * 1.3)


def walk(
    sampler: Sampler,
    x: Floats,
    sigmas: Sequence[float],
    *,
    denoise: Any = None,
    noise: Any = None,
    **parameters: Any,
) -> list[Step]:
    """All steps of a run; without noise given, the noise is all zeros."""
    start: Any = x
    run = Run(
        sigmas=sigmas,
        noise=noise or Draws(x, 0.0),  # type: ignore[arg-type]
        parameters=SamplerParameters(**parameters),
        levels=LEVELS,
    )
    return list(sampler.sample(denoise or Gaussian(), start, run))  # type: ignore[arg-type]


def end_of(sampler: Sampler, x: Floats, sigmas: Sequence[float], **given: Any) -> Floats:
    """The last latent of a run."""
    return np.asarray(walk(sampler, x, sigmas, **given)[-1].x)
