"""What holds for every sampler, and how fast its error falls, in float64."""

from __future__ import annotations

import math
from itertools import islice, pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.samplers.toys import LEVELS, Draws, Gaussian, Written, end_of, walk
from webui.core.request import SamplerParameters
from webui.samplers import load_samplers
from webui.samplers.ancestral import ancestral_step
from webui.samplers.sampler import Run, Sampler
from webui.schedules import AUTOMATIC, load_schedules, walk_sigmas

REGISTRY, SCHEDULES = load_samplers(), load_schedules()
SAMPLERS = list(REGISTRY)
START = np.array([-9.0, 2.0, 12.0, 0.5])
ALWAYS_NOISY = ("lcm", "tcd", "er_sde", "ddpm", "restart")
QUIET = [sampler for sampler in SAMPLERS if sampler.id not in ALWAYS_NOISY]
OWN_STEPS = ("dpm_fast", "dpm_adaptive", "restart")
BOUND = [sampler for sampler in SAMPLERS if sampler.id not in OWN_STEPS]
every = pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: s.id)


def levels_of(sampler: Sampler, schedule: str, steps: int, **parameters: Any) -> tuple[float, ...]:
    fine = SamplerParameters(**parameters)
    return walk_sigmas(sampler, SCHEDULES, schedule, LEVELS, steps, fine, "sd15")


@pytest.mark.parametrize(
    ("id", "order", "noisy"),
    [
        ("euler", 1, {}),
        ("ddim", 1, {}),
        ("euler_a", 1, {"eta": 0.0}),
        ("heun", 2, {}),
        ("dpm_2", 2, {}),
        ("dpm_2_a", 2, {"eta": 0.0}),
        ("dpmpp_2s_a", 2, {"eta": 0.0}),
        ("dpmpp_sde", 2, {"eta": 0.0}),
        ("dpmpp_2m", 2, {}),
        ("dpmpp_2m_sde", 2, {"eta": 0.0}),
        ("dpmpp_2m_sde_heun", 2, {"eta": 0.0}),
        ("dpmpp_3m_sde", 2, {"eta": 0.0}),
        ("dpm_fast", 2, {"eta": 0.0}),
        ("res_multistep", 2, {}),
        ("lms", 2, {"order": 2}),
        ("ipndm_v", 2, {"order": 2}),
        ("deis", 2, {"order": 2}),
        ("unipc", 2, {"order": 1}),
    ],
)
def test_error_falls_with_the_order_of_the_method(
    id: str, order: int, noisy: dict[str, float]
) -> None:
    def error(steps: int) -> float:
        sigmas = np.geomspace(10, 0.1, steps + 1).tolist()
        end = end_of(REGISTRY[id], START, sigmas, **noisy)
        return float(np.abs(end - Gaussian().exact(START, 10, 0.1)).max())

    # methods of third order begin or end with steps of first order, which then decide
    assert math.log2(error(120) / error(240)) > order - 0.25


@every
def test_every_schedule_finishes_the_picture(sampler: Sampler) -> None:
    """Within eight spreads of the data: the written noise is far from random."""
    toy = Gaussian(spread=0.2)
    for schedule in SCHEDULES:
        sigmas = levels_of(sampler, schedule.id, 20)
        steps = walk(sampler, START * sigmas[0] / 10, sigmas, denoise=toy, noise=Written())
        end = np.asarray(steps[-1].x)
        assert np.abs(end - toy.mean).max() < 8 * toy.spread, schedule.id
        assert [step.index for step in steps] == sorted(step.index for step in steps)
        assert steps[-1].index == len(sigmas) - 2


@pytest.mark.parametrize("sampler", QUIET, ids=lambda s: s.id)
def test_without_noise_the_exact_way_is_followed(sampler: Sampler) -> None:
    toy = Gaussian()
    sigmas = [*np.geomspace(10, 0.03, 200).tolist(), 0.0]
    eta = {"eta": 0.0} if "eta" in sampler.reads else {}
    end = end_of(sampler, START, sigmas, denoise=toy, noise=Draws(START, 0.0), **eta)
    tolerance = 0.5 if sampler.id == "heunpp2" else 0.06
    np.testing.assert_allclose(end, toy.exact(START, 10, 0), atol=tolerance)


@every
def test_few_steps_between_any_levels_work(sampler: Sampler) -> None:
    for steps, last, first in product((1, 2, 3, 5), (0.0, 0.5), (14.6, 0.9)):
        positive = np.geomspace(first, last or 0.04, steps + 1 if last else steps).tolist()
        sigmas = positive if last else [*positive, 0.0]
        done = walk(sampler, START, sigmas, noise=Written())
        assert np.isfinite(np.asarray(done[-1].x)).all()
        assert done[-1].index == steps - 1


@every
@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 10_000), min_size=2, max_size=9, unique=True), st.booleans())
def test_any_falling_levels_work(sampler: Sampler, levels: list[int], to_zero: bool) -> None:
    falling = [level / 100 for level in sorted(levels, reverse=True)]
    sigmas = [*falling[:-1], 0.0] if to_zero else falling
    steps = walk(sampler, START, sigmas, noise=Written())
    assert np.isfinite(np.asarray(steps[-1].x)).all()
    assert steps[-1].index == len(sigmas) - 2


@pytest.mark.parametrize("sampler", [s for s in SAMPLERS if not s.is_adaptive], ids=lambda s: s.id)
def test_a_picture_does_not_depend_on_its_batch(sampler: Sampler) -> None:
    sigmas = levels_of(sampler, AUTOMATIC, 22)
    alone = end_of(sampler, START, sigmas, noise=Written())
    batch = end_of(sampler, np.stack([START * 3, START]), sigmas, noise=Written())
    np.testing.assert_array_equal(batch[1], alone)


@every
@pytest.mark.parametrize("sigmas", [[0.0], [3.0]])
def test_no_step_is_taken_where_none_is_asked_for(sampler: Sampler, sigmas: list[float]) -> None:
    assert walk(sampler, START, sigmas) == []


@pytest.mark.parametrize("sampler", BOUND, ids=lambda s: s.id)
def test_one_step_for_each_sigma_but_the_first(sampler: Sampler) -> None:
    steps = walk(sampler, START, [3.0, 2.0, 1.0, 0.0])
    assert [step.index for step in steps] == [0, 1, 2]


@every
def test_nothing_is_computed_ahead_of_the_step_asked_for(sampler: Sampler) -> None:
    denoise, start = Gaussian(), START
    run = Run(sigmas=[3.0, 2.0, 1.0, 0.5, 0.1, 0.0], noise=Draws(start))  # type: ignore[arg-type]
    list(islice(sampler.sample(denoise, start, run), 1))  # type: ignore[arg-type]
    first = len(denoise.asked)
    list(islice(sampler.sample(denoise, start, run), 2))  # type: ignore[arg-type]
    assert 0 < first < len(denoise.asked) - first


@every
def test_the_start_is_not_changed(sampler: Sampler) -> None:
    start = START.copy()
    walk(sampler, start, [3.0, 2.0, 1.0, 0.5, 0.0], noise=Written())
    np.testing.assert_array_equal(start, START)


@every
@pytest.mark.parametrize("key", ["eta", "noise_factor", "churn", "order"])
def test_parameters_count_where_a_sampler_says_that_it_reads_them(
    sampler: Sampler, key: str
) -> None:
    sigmas = [*np.geomspace(14, 0.05, 24).tolist(), 0.0]
    loud: dict[str, Any] = {"churn": 5.0} if "churn" in sampler.reads else {"eta": 1.0}
    changed = {**loud, key: {"eta": 0.4, "noise_factor": 0.8, "churn": 9.0, "order": 2}[key]}
    before, after = (
        end_of(sampler, START, sigmas, noise=Written(), **given) for given in (loud, changed)
    )
    assert bool((before == after).all()) == (key not in sampler.reads)


def test_ancestral_steps_keep_the_noise_level() -> None:
    for sigma, next_sigma in [(14.6, 9.1), (1.0, 0.99), (0.03, 0.0)]:
        for eta in (0.0, 0.5, 1.0, 2.0):
            down, up = ancestral_step(sigma, next_sigma, eta)
            assert down**2 + up**2 == pytest.approx(next_sigma**2)
            assert 0 <= down <= next_sigma


def test_restart_jumps_up_into_noise_and_comes_down_again() -> None:
    denoise = Gaussian()
    sigmas = levels_of(REGISTRY["restart"], "karras", 20)
    steps = walk(REGISTRY["restart"], START, sigmas, denoise=denoise, noise=Written())
    rises = [b / a for a, b in pairwise(denoise.asked) if b > a]
    assert len(rises) == 1
    assert len(steps) == 20


def test_adaptive_steps_grow_finer_where_the_guess_bends() -> None:
    """The number of steps is its own; the index still ends where the sigmas do."""
    sampler = REGISTRY["dpm_adaptive"]
    steps = walk(sampler, START, levels_of(sampler, AUTOMATIC, 20), noise=Written())
    assert steps[-1].index == 19
    assert len(steps) > 5


@pytest.mark.parametrize(
    ("id", "steps", "calls"),
    [
        ("ddim", 20, 19),
        ("ddim", 30, 30),
        ("ddim", 50, 49),
        ("ddim_cfgpp", 20, 19),
        ("plms", 20, 20),
        ("unipc", 20, 20),
        ("euler", 20, 20),
        ("heun", 20, 39),
        ("dpm_2", 20, 39),
        ("dpm_2_a", 20, 39),
        ("dpmpp_sde", 20, 39),
        ("dpmpp_2s_a", 20, 39),
        ("dpmpp_3m_sde", 20, 20),
        ("dpm_fast", 20, 20),
        ("restart", 20, 39),
        ("lcm", 4, 4),
    ],
)
def test_the_denoiser_is_asked_as_often_as_by_a1111(id: str, steps: int, calls: int) -> None:
    denoise = Gaussian()
    sampler = REGISTRY[id]
    walk(sampler, START, levels_of(sampler, AUTOMATIC, steps), denoise=denoise, noise=Written())
    assert len(denoise.asked) == calls
