"""Every sampler and every schedule on the starter model: pictures, and the same ones in a batch."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

from tests.engine.work import RECIPE, images, pixels, work
from webui.core.events import Progress
from webui.engine.local import LocalEngine
from webui.samplers import load_samplers
from webui.schedules import load_schedules

pytestmark = pytest.mark.torch

SAMPLERS = [sampler.id for sampler in load_samplers()]
SCHEDULES = [schedule.id for schedule in load_schedules()]


def diagonal() -> Iterator[tuple[str, str]]:
    """Each sampler once, and each schedule at least once."""
    for i, sampler in enumerate(SAMPLERS):
        yield sampler, SCHEDULES[i % len(SCHEDULES)]


def check(local: LocalEngine, sampler: str, schedule: str, steps: int) -> None:
    """A clean picture comes out, and the progress ends where it said."""
    drawn = {"sampler": sampler, "schedule": schedule, "steps": steps}
    batch = work(RECIPE, width=64, height=64, **drawn)
    events = list(local.generate(batch))
    last = [event for event in events if isinstance(event, Progress)][-1]
    assert last.step == last.steps
    values = pixels(next(event.image for event in events if hasattr(event, "image")))
    assert np.abs(np.diff(values, axis=1)).mean() < 40  # left noise would be about 60


@pytest.mark.parametrize(("sampler", "schedule"), list(diagonal()))
def test_each_sampler_and_each_schedule_gives_a_picture(
    local: LocalEngine, sampler: str, schedule: str
) -> None:
    check(local, sampler, schedule, 8)


@pytest.mark.slow
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_on_every_schedule_gives_a_picture(local: LocalEngine, sampler: str) -> None:
    for schedule in SCHEDULES:
        check(local, sampler, schedule, 10)


@pytest.mark.slow
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_picture_of_a_batch_is_the_one_made_alone(local: LocalEngine, sampler: str) -> None:
    recipe = work(RECIPE, width=64, height=64, sampler=sampler, steps=6).recipes[0]
    batch = images(local, work(recipe, pictures=3))
    alone = [images(local, work(recipe.at(index)))[0] for index in range(3)]
    assert [image.tobytes() for image in batch] == [image.tobytes() for image in alone]


def test_some_pictures_of_a_batch_are_those_made_alone(local: LocalEngine) -> None:
    for sampler in ("dpmpp_sde", "dpm_fast"):
        recipe = work(RECIPE, width=64, height=64, sampler=sampler, steps=4).recipes[0]
        batch = images(local, work(recipe, pictures=2))
        assert batch[1].tobytes() == images(local, work(recipe.at(1)))[0].tobytes()


def test_no_two_samplers_give_the_same_picture(local: LocalEngine) -> None:
    """But those that are the same by their papers: DDPM is Euler a with eta 1."""
    ways = product(
        ["euler", "euler_a", "ddpm", "lms", "ipndm", "deis", "er_sde", "lcm"], ["karras"]
    )
    drawn = {
        sampler: images(local, work(RECIPE, width=64, height=64, sampler=sampler, schedule=s))[0]
        for sampler, s in ways
    }
    assert drawn["ddpm"].tobytes() == drawn["euler_a"].tobytes()
    assert len({image.tobytes() for image in drawn.values()}) == len(drawn) - 1
