"""Samplers against exact solutions, in float64.

The data is a Gaussian, for which the best denoiser and the way of every point are known:
with spread s around m, D(x) = (s² x + sigma² m) / (s² + sigma²) and x - m shrinks as
sqrt(s² + sigma²).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from webui.samplers import load_samplers
from webui.samplers.euler_a import ancestral_step
from webui.samplers.sampler import Run, Sampler, Step

Floats = npt.NDArray[np.float64]
MEAN, SPREAD = 0.3, 0.8
SAMPLERS = list(load_samplers())
EXACT = [sampler for sampler in SAMPLERS if sampler.id in ("euler", "dpmpp_2m")]


def gaussian(x: Floats, sigma: float) -> Floats:
    return (SPREAD**2 * x + sigma**2 * MEAN) / (SPREAD**2 + sigma**2)


def exact(x: Floats, sigma: float, end: float) -> Floats:
    return MEAN + (x - MEAN) * math.sqrt((SPREAD**2 + end**2) / (SPREAD**2 + sigma**2))


class Toy:
    """The best denoiser for the Gaussian."""

    def __call__(self, x: Floats, sigma: float) -> Floats:
        return gaussian(x, sigma)

    def both(self, x: Floats, sigma: float) -> tuple[Floats, Floats]:
        guess = self(x, sigma)
        return guess, guess


class Draws:
    """Noise of spread 1 in the shape of an array, or none at all."""

    def __init__(self, like: Floats, scale: float = 1.0) -> None:
        self._random, self._shape, self._scale = np.random.default_rng(0), like.shape, scale

    def __call__(self) -> Floats:
        return self._random.normal(size=self._shape) * self._scale

    def between(self, sigma: float, next_sigma: float) -> Floats:
        return self()


def run(
    sampler: Sampler,
    x: Floats,
    sigmas: Sequence[float],
    denoise: Any = None,
    noise: float = 0.0,
) -> list[Step]:
    given: Any = Run(sigmas=sigmas, noise=Draws(x, noise))  # type: ignore[arg-type]
    return list(sampler.sample(denoise or Toy(), x, given))  # type: ignore[arg-type]


def geometric(first: float, last: float, steps: int) -> list[float]:
    return np.geomspace(first, last, steps + 1).tolist()


def error(sampler: Sampler, steps: int) -> float:
    start = np.array([-9.0, 2.0, 12.0])
    end = run(sampler, start, geometric(10, 0.1, steps))[-1].x
    return float(np.abs(np.asarray(end) - exact(start, 10, 0.1)).max())


@pytest.mark.parametrize(("id", "order"), [("euler", 1), ("dpmpp_2m", 2)])
def test_error_falls_with_the_order_of_the_method(id: str, order: int) -> None:
    sampler = load_samplers()[id]
    coarse, fine = error(sampler, 100), error(sampler, 200)
    assert math.log2(coarse / fine) == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize("sampler", EXACT, ids=lambda s: s.id)
def test_a_finished_picture_lies_where_the_exact_way_ends(sampler: Sampler) -> None:
    start = np.array([-9.0, 2.0, 12.0])
    end = run(sampler, start, [*geometric(10, 0.01, 400), 0.0])[-1].x
    np.testing.assert_allclose(end, exact(start, 10, 0), atol=0.02)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: s.id)
def test_the_last_step_to_zero_gives_the_denoised_picture(sampler: Sampler) -> None:
    last = run(sampler, np.array([1.0, 2.0, 3.0]), [5.0, 1.0, 0.0])[-1]
    np.testing.assert_allclose(last.x, last.denoised, rtol=1e-14)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: s.id)
def test_one_step_for_each_sigma_but_the_first(sampler: Sampler) -> None:
    steps = run(sampler, np.ones(2), [3.0, 2.0, 1.0, 0.0])
    assert [step.index for step in steps] == [0, 1, 2]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: s.id)
def test_nothing_is_computed_ahead_of_the_step_asked_for(sampler: Sampler) -> None:
    seen: list[float] = []

    class Watched(Toy):
        def __call__(self, x: Floats, sigma: float) -> Floats:
            seen.append(sigma)
            return gaussian(x, sigma)

    start: Any = np.ones(2)
    given = Run(sigmas=[3.0, 2.0, 1.0, 0.0], noise=Draws(start))  # type: ignore[arg-type]
    list(islice(sampler.sample(Watched(), start, given), 1))  # type: ignore[arg-type]
    assert seen == [3.0]


def test_dpmpp_2m_is_exact_when_the_guess_never_changes() -> None:
    class Still(Toy):
        def __call__(self, x: Floats, sigma: float) -> Floats:
            return np.full_like(x, MEAN)

    start = np.array([4.0])
    end = run(load_samplers()["dpmpp_2m"], start, [10, 3, 0.5], denoise=Still())[-1].x
    np.testing.assert_allclose(end, MEAN + (start - MEAN) * 0.05, rtol=1e-14)


def test_ancestral_steps_keep_the_noise_level() -> None:
    for sigma, next_sigma in [(14.6, 9.1), (1.0, 0.99), (0.03, 0.0)]:
        down, up = ancestral_step(sigma, next_sigma)
        assert down**2 + up**2 == pytest.approx(next_sigma**2)
        assert 0 <= down <= next_sigma


def test_euler_a_reaches_the_spread_of_the_data() -> None:
    random = np.random.default_rng(0)
    start = random.normal(size=20_000) * 10
    sigmas = [*geometric(10, 0.01, 300), 0.0]
    end = np.asarray(run(load_samplers()["euler_a"], start, sigmas, noise=1.0)[-1].x)
    assert end.mean() == pytest.approx(MEAN, abs=0.03)  # 5 standard errors of 20,000 draws
    assert end.std() == pytest.approx(SPREAD, rel=0.03)
