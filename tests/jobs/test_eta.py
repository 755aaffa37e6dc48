"""Time left, told from how long others took."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.jobs.rig import RECIPE
from webui.core.request import InputId, Source
from webui.jobs.eta import (
    RECENT,
    Timing,
    effort,
    expected_seconds,
    load_of,
    seconds_per_effort,
)


def timing(seconds: float, model: str = "m", work: float = 10.0) -> Timing:
    return Timing(model=model, effort=work, seconds=seconds)


def test_effort_grows_with_pixels_steps_and_pictures() -> None:
    assert effort(RECIPE, 1) == 64 * 64 * 4
    assert effort(replace(RECIPE, width=128), 1) == 2 * effort(RECIPE, 1)
    assert effort(replace(RECIPE, steps=8), 3) == 6 * effort(RECIPE, 1)


@pytest.mark.parametrize(("strength", "part"), [(1.0, 1.0), (0.5, 0.5), (0.0, 0.25)])
def test_effort_counts_only_the_steps_that_run(strength: float, part: float) -> None:
    source = Source(image=InputId("a" * 64), denoising_strength=strength)
    assert effort(replace(RECIPE, source=source), 1) == part * effort(RECIPE, 1)


def test_nothing_is_known_before_the_first_job() -> None:
    assert seconds_per_effort([], "m") is None
    assert expected_seconds([], load_of(RECIPE, 1)) is None


def test_a_models_own_pace_counts_before_that_of_others() -> None:
    timings = [timing(10), timing(100, model="other")]
    assert seconds_per_effort(timings, "m") == 1.0
    assert seconds_per_effort(timings, "other") == 10.0
    assert seconds_per_effort(timings, "never run") == 5.5


def test_one_odd_job_does_not_matter_and_old_ones_are_forgotten() -> None:
    assert seconds_per_effort([timing(10), timing(500), timing(10)], "m") == 1.0
    assert seconds_per_effort([timing(500)] * 5 + [timing(20)] * RECENT, "m") == 2.0


def test_expected_seconds_are_pace_times_effort() -> None:
    known = [timing(3.0, work=effort(RECIPE, 1))]
    assert expected_seconds(known, load_of(RECIPE, 4)) == pytest.approx(12.0)
