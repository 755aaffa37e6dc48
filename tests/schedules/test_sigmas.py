"""Noise levels against the published numbers and a float64 reference."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from webui.core.errors import InvalidRequest
from webui.core.request import SamplerParameters
from webui.samplers import load_samplers
from webui.schedules import AUTOMATIC, Spacing, load_schedules, walk_sigmas
from webui.schedules.beta import quantile
from webui.schedules.noise_levels import NoiseLevels
from webui.schedules.schedule import Schedule

BETAS = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
ALPHAS = np.cumprod(1 - BETAS)
SIGMAS = np.sqrt((1 - ALPHAS) / ALPHAS)
LEVELS = NoiseLevels(BETAS.tolist())
CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "sigmas.json").read_text()
)
SPACINGS = [schedule for schedule in load_schedules() if schedule.sigmas is not None]


def spaced(id: str, steps: int) -> tuple[float, ...]:
    return walk("euler", id, steps)


def walk(sampler: str, id: str, steps: int, **parameters: Any) -> tuple[float, ...]:
    fine = SamplerParameters(**parameters)
    chosen = load_samplers()[sampler]
    return walk_sigmas(chosen, load_schedules(), id, LEVELS, steps, fine, "sd15")


def test_stable_diffusion_spans_the_published_levels() -> None:
    assert LEVELS.smallest == pytest.approx(0.0291675, abs=2e-6)  # A1111: float32 alphas
    assert LEVELS.largest == pytest.approx(14.614642, abs=2e-6)


def test_karras_is_the_published_one() -> None:
    golden = [14.6146, 9.1029, 5.4784, 3.1686, 1.7494, 0.9141, 0.4469, 0.2014, 0.0819, 0.0292, 0]
    assert spaced("karras", 10) == pytest.approx(golden, abs=5e-5)


def test_uniform_takes_timesteps_at_equal_distances() -> None:
    timesteps = np.linspace(999, 0, 20)
    reference = np.exp(np.interp(timesteps, np.arange(1000), np.log(SIGMAS)))
    assert spaced("uniform", 20) == pytest.approx([*reference, 0.0], rel=1e-12)


@pytest.mark.parametrize("schedule", SPACINGS, ids=lambda s: s.id)
@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_levels_fall_strictly_from_the_largest(schedule: Schedule, family: str) -> None:
    assert schedule.sigmas is not None
    for steps in (1, 2, 3, 4, 5, 7, 11, 20, 33, 75, 150):
        sigmas = schedule.sigmas(Spacing(levels=LEVELS, steps=steps, family=family))
        assert list(sigmas) == sorted(set(sigmas), reverse=True)
        if schedule.id != "ddim":  # counts timesteps up from 1: another number, another start
            assert len(sigmas) == steps + 1
            assert sigmas[0] == pytest.approx(LEVELS.largest, rel=1e-3)
        assert sigmas[-1] == (pytest.approx(LEVELS.smallest) if schedule.id == "kl_optimal" else 0)


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['schedule']}-{c['family']}-{c['steps']}")
def test_levels_are_those_of_forge(case: dict[str, Any]) -> None:
    sigmas = load_schedules()[case["schedule"]].sigmas
    assert sigmas is not None
    ours = sigmas(Spacing(levels=LEVELS, steps=case["steps"], family=case["family"]))
    assert ours == pytest.approx(case["sigmas"], abs=1e-6)


def test_forges_schedules_are_all_compared() -> None:
    newer = {"automatic", "linear_quadratic", "bong_tangent"}
    assert {case["schedule"] for case in CASES} | newer == {s.id for s in load_schedules()}


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"smallest_sigma": 0.1}, "smallest_sigma"),
        ({"largest_sigma": 9.0}, "largest_sigma"),
        ({"rho": 3.0}, "rho"),
        ({"beta_alpha": 0.9}, "beta_alpha"),
        ({"beta_beta": 0.9}, "beta_beta"),
    ],
)
def test_parameters_count_where_a_schedule_says_that_it_reads_them(
    changed: dict[str, float], named: str
) -> None:
    for schedule in SPACINGS:
        differs = walk("euler", schedule.id, 9, **changed) != spaced(schedule.id, 9)
        assert differs == (named in schedule.reads), schedule.id


@pytest.mark.parametrize("id", ["karras", "exponential", "polyexponential", "kl_optimal", "beta"])
def test_a_range_that_is_asked_for_is_kept_to(id: str) -> None:
    sigmas = walk("euler", id, 9, smallest_sigma=0.1, largest_sigma=9.0)
    assert sigmas[0] == pytest.approx(9)
    assert [sigma for sigma in sigmas if sigma > 0][-1] == pytest.approx(0.1)


def test_linear_quadratic_is_a_line_and_then_a_parabola() -> None:
    removed = 1 - np.array(spaced("linear_quadratic", 20)) / LEVELS.largest
    np.testing.assert_allclose(removed[:11], np.linspace(0, 0.025, 11), atol=1e-12)
    np.testing.assert_allclose(np.diff(removed[10:], 3), 0, atol=1e-12)
    assert removed[11] - removed[10] > removed[10] - removed[9]


def test_bong_tangent_is_two_arctangents_that_meet_at_half() -> None:
    """For 38 steps: 40 places, the fall steepest at place 24, its slope 0.2 a place."""
    sigmas = np.array(spaced("bong_tangent", 38)) / LEVELS.largest
    first = -np.arctan(0.2 * (np.arange(24) - 24))
    second = -np.arctan(0.2 * np.arange(16))
    halves = [(part - part[-1]) / (part[0] - part[-1]) / 2 for part in (first, second)]
    np.testing.assert_allclose(sigmas, [*(0.5 + halves[0][:-1]), *halves[1]], atol=1e-12)


def test_beta_quantiles_are_the_inverse_of_closed_forms() -> None:
    for share in (0.0, 1e-6, 0.2, 0.5, 0.9, 1.0):
        assert quantile(share, 1, 1) == pytest.approx(share)
        assert quantile(share, 3, 1) == pytest.approx(share ** (1 / 3))
        assert quantile(share, 1, 2) == pytest.approx(1 - math.sqrt(1 - share))
        assert quantile(share, 0.5, 0.5) == pytest.approx(math.sin(math.pi * share / 2) ** 2)


@pytest.mark.parametrize(("steps", "calls"), [(1, 1), (2, 1), (20, 19), (30, 30), (50, 49)])
def test_timestep_samplers_take_a1111s_timesteps(steps: int, calls: int) -> None:
    sigmas = walk("ddim", AUTOMATIC, steps)
    assert len(sigmas) - 1 == calls
    assert sigmas[-1] == pytest.approx(SIGMAS[1])
    if steps == 20:
        np.testing.assert_allclose(sigmas, SIGMAS[951::-50], rtol=1e-9)
    assert walk("ddim", "karras", 20) == spaced("karras", 20)


def test_unipc_goes_from_the_last_timestep_to_the_first() -> None:
    sigmas = walk("unipc", AUTOMATIC, 10)
    assert len(sigmas) == 11
    assert (sigmas[0], sigmas[-1]) == pytest.approx((LEVELS.largest, LEVELS.smallest))


def test_lcm_takes_the_timesteps_that_it_was_taught() -> None:
    np.testing.assert_allclose(walk("lcm", AUTOMATIC, 50), [*SIGMAS[999::-20], 0.0], rtol=1e-9)
    assert walk("lcm", AUTOMATIC, 1) == pytest.approx([LEVELS.largest, 0.0])


def test_automatic_is_the_samplers_own() -> None:
    assert walk("dpmpp_2m", AUTOMATIC, 7) == spaced("karras", 7) != spaced("uniform", 7)
    assert walk("dpmpp_2m", "uniform", 7) == spaced("uniform", 7)


def test_an_unknown_schedule_is_an_error() -> None:
    with pytest.raises(KeyError):
        spaced("wavy", 5)


def test_the_last_but_one_level_can_be_left_out() -> None:
    left = walk("euler", "karras", 10, discard_penultimate=True)
    assert left == (*spaced("karras", 11)[:-2], 0.0)
    assert len(left) == 11


def test_a_range_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="not below the largest"):
        walk("euler", "karras", 5, smallest_sigma=3.0, largest_sigma=2.0)


def test_timesteps_between_trained_ones_lie_on_the_log_line() -> None:
    assert LEVELS.sigma(500) == pytest.approx(SIGMAS[500])
    assert LEVELS.sigma(500.5) == pytest.approx((SIGMAS[500] * SIGMAS[501]) ** 0.5)
    assert LEVELS.sigma(999) == pytest.approx(SIGMAS[999])


@given(st.floats(0, 999))
def test_level_and_timestep_are_inverse(timestep: float) -> None:
    assert LEVELS.timestep(LEVELS.sigma(timestep)) == pytest.approx(timestep, abs=1e-6)


def test_levels_outside_the_trained_ones_take_the_nearest_timestep() -> None:
    assert LEVELS.timestep(1e-4) == 0
    assert LEVELS.timestep(500) == 999


@pytest.mark.parametrize(
    ("name", "id"), [("Karras", "karras"), ("AUTOMATIC", "automatic"), ("uniform", "uniform")]
)
def test_schedules_go_by_id_and_label(name: str, id: str) -> None:
    assert load_schedules().find(name) == id


def test_a_name_that_no_schedule_has_is_not_found() -> None:
    assert load_schedules().find("wavy") is None
