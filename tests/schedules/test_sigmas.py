"""Noise levels against the published numbers and a float64 reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from webui.core.errors import InvalidRequest
from webui.core.request import SamplerParameters
from webui.samplers import load_samplers
from webui.schedules import AUTOMATIC, load_schedules, walk_sigmas
from webui.schedules.noise_levels import NoiseLevels

BETAS = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
ALPHAS = np.cumprod(1 - BETAS)
SIGMAS = np.sqrt((1 - ALPHAS) / ALPHAS)
LEVELS = NoiseLevels(BETAS.tolist())
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
@pytest.mark.parametrize("steps", [1, 2, 3, 20, 150])
def test_levels_fall_from_the_largest_to_zero(schedule: object, steps: int) -> None:
    sigmas = spaced(schedule.id, steps)  # type: ignore[attr-defined]
    assert len(sigmas) == steps + 1
    assert sigmas[0] == pytest.approx(LEVELS.largest)
    assert sigmas[-1] == 0
    assert list(sigmas) == sorted(set(sigmas), reverse=True)


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
