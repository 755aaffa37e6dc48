"""Samplers without an independent partner, against their papers' formulas written out."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from tests.samplers.toys import Draws, Floats, Gaussian, Written, end_of, walk
from webui.samplers import load_samplers
from webui.samplers.er_sde import scale

SAMPLERS = load_samplers()
START = np.array([-9.0, 2.0, 12.0])
SIGMAS = np.geomspace(10, 0.1, 9).tolist()


class Polynomial(Gaussian):
    """A network whose slope is a power of a clock of sigma, whatever x is."""

    def __init__(self, power: int, clock: object) -> None:
        super().__init__()
        self._power, self._clock = power, clock

    def slope(self, sigma: Floats) -> Floats:
        return np.asarray(self._clock(sigma) ** self._power)  # type: ignore[operator]

    def guess(self, x: Floats, sigma: float) -> Floats:
        return x - sigma * self.slope(np.asarray(sigma))


def diffusion_time(sigma: Floats) -> Floats:
    """Of Song et al. 2021's variance-preserving SDE, beta from 0.1 to 20."""
    return (np.sqrt(0.1**2 + 2 * 19.9 * np.log(sigma**2 + 1)) - 0.1) / 19.9


@pytest.mark.parametrize(
    ("id", "clock", "order"),
    [("lms", np.asarray, 4), ("ipndm_v", np.asarray, 4), ("deis", diffusion_time, 3)],
)
def test_slopes_that_are_polynomials_of_the_clock_are_integrated_exactly(
    id: str, clock: object, order: int
) -> None:
    """Once there are as many slopes as the polynomial needs: before, the order is lower."""
    for power in range(order):
        denoise = Polynomial(power, clock)
        steps = walk(SAMPLERS[id], START, SIGMAS, denoise=denoise)
        for i in range(order - 1, len(steps)):
            fine = np.linspace(SIGMAS[i], SIGMAS[i + 1], 20_001)
            way = np.trapezoid(denoise.slope(fine), fine)
            moved = np.asarray(steps[i].x - steps[i - 1].x)
            np.testing.assert_allclose(moved, way, rtol=1e-6)


@pytest.mark.parametrize("id", ["ddim_cfgpp", "euler_cfgpp"])
def test_cfgpp_puts_back_the_noise_of_the_unguided_guess(id: str) -> None:
    class TwoMinds(Gaussian):
        def both(self, x: Floats, sigma: float) -> tuple[Floats, Floats]:
            return x * 0 + 5.0, self(x, sigma)

    denoise = TwoMinds()
    x = START
    for sigma, next_sigma in pairwise(SIGMAS):
        x = 5.0 + next_sigma * (x - denoise.guess(x, sigma)) / sigma
    end = end_of(SAMPLERS[id], START, SIGMAS, denoise=denoise)
    np.testing.assert_allclose(end, x, rtol=1e-12)


@pytest.mark.parametrize(
    ("cfgpp", "plain"),
    [("euler_cfgpp", "euler"), ("euler_a_cfgpp", "euler_a"), ("ddim_cfgpp", "ddim")],
)
def test_without_guidance_cfgpp_is_the_plain_sampler(cfgpp: str, plain: str) -> None:
    x = np.array([1.0, 2.0, 3.0, -4.0])
    ends = [end_of(SAMPLERS[id], x, SIGMAS, noise=Written()) for id in (cfgpp, plain)]
    np.testing.assert_allclose(*ends, rtol=1e-12)


def test_res_multistep_integrates_a_guess_that_changes_evenly_in_log_sigma() -> None:
    class Even(Gaussian):
        def guess(self, x: Floats, sigma: float) -> Floats:
            return x * 0 + 2.0 - 3.0 * math.log(sigma)

    steps = walk(SAMPLERS["res_multistep"], START, SIGMAS, denoise=Even())
    for i in range(1, len(steps)):
        sigma, end = SIGMAS[i], SIGMAS[i + 1]

        # x' = (x - D) / sigma with D = a - b log sigma: x = D - b + c sigma
        def plain(s: float) -> float:
            return 2.0 - 3.0 * math.log(s) - 3.0

        before = np.asarray(steps[i - 1].x)
        exact = plain(end) + (before - plain(sigma)) * end / sigma
        np.testing.assert_allclose(np.asarray(steps[i].x), exact, rtol=1e-10)


def test_ancestral_res_multistep_without_eta_is_the_plain_one() -> None:
    ends = [
        end_of(SAMPLERS["res_multistep"], START, SIGMAS),
        end_of(SAMPLERS["res_multistep_a"], START, SIGMAS, eta=0.0),
    ]
    np.testing.assert_allclose(*ends, rtol=1e-14)


def test_er_sde_integrates_a_guess_that_is_a_line_in_sigma() -> None:
    """Cui et al. 2023: x(t) = x(s) phi_t / phi_s + phi_t * the integral of D phi' / phi²."""

    class Line(Gaussian):
        def guess(self, x: Floats, sigma: float) -> Floats:
            return x * 0 + self.at(np.asarray(sigma))

        def at(self, sigma: Floats) -> Floats:
            return 1.0 + 0.5 * sigma

    denoise = Line()
    steps = walk(SAMPLERS["er_sde"], START, SIGMAS, denoise=denoise)
    for i in range(1, len(steps)):
        fine = np.linspace(SIGMAS[i], SIGMAS[i + 1], 20_001)
        phi = np.array([scale(sigma) for sigma in fine])
        grown = np.trapezoid(denoise.at(fine), 1 / phi) * phi[-1]
        exact = np.asarray(steps[i - 1].x) * phi[-1] / phi[0] + grown
        np.testing.assert_allclose(np.asarray(steps[i].x), exact, rtol=1e-7)


@pytest.mark.parametrize(
    "id", ["er_sde", "euler_a", "ddpm", "dpmpp_2m_sde", "dpmpp_3m_sde", "dpmpp_sde", "dpm_2_a",
           "dpmpp_2s_a", "dpmpp_2m_sde_heun", "res_multistep_a", "dpm_adaptive"]
)  # fmt: skip
def test_noisy_samplers_reach_the_spread_of_the_data(id: str) -> None:
    toy = Gaussian()
    start = np.random.default_rng(1).normal(size=20_000) * 10
    sigmas = [*np.geomspace(10, 0.01, 120).tolist(), 0.0]
    end = end_of(SAMPLERS[id], start, sigmas, noise=Draws(start))
    assert end.mean() == pytest.approx(toy.mean, abs=0.04)  # 5 standard errors of 20,000 draws
    assert end.std() == pytest.approx(toy.spread, rel=0.05)
