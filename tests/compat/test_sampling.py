"""Old scripts in the middle of sampling, with the starter model: real tensors, real pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.compat.asked import Outcome, run_job
from webui.core.request import GenerationRequest, Hires, Sampling
from webui.studio import Studio

if TYPE_CHECKING:
    from webui.engine.local import LocalEngine

pytestmark = pytest.mark.torch

STEPS = Path(__file__).parent / "extensions" / "steps"
REQUEST = GenerationRequest(
    prompt="a cat",
    negative_prompt="a dog",
    width=64,
    height=64,
    seed=5,
    sampling=Sampling(steps=3, sampler="euler", guidance_scale=4.0),
)
WAYS = (
    *("sigma", "cond", "words", "after", "denoised", "callback", "combine", "parser"),
    *("noise", "latents", "layers"),
)
Make = Callable[..., Outcome]


@pytest.fixture(scope="module")
def local() -> Iterator[LocalEngine]:
    """The real engine, ready, on one thread of the CPU."""
    from webui.engine.local import create

    engine = create({"use_cpu": True, "threads": 1})
    engine.prepare()
    yield engine
    engine.close()


@pytest.fixture
def make(studio: Studio, local: LocalEngine) -> Make:
    def made(way: str = "", request: GenerationRequest = REQUEST) -> Outcome:
        inputs = {"steps/steps": {"way": way}}
        outcome = run_job(studio, {"steps": STEPS}, request, inputs, engine=local)
        assert outcome.errors == []
        return outcome

    return made


def pixels(outcome: Outcome) -> np.ndarray:
    return np.asarray(outcome.pictures[0]).astype(float)


@pytest.mark.slow
def test_each_way_changes_the_picture_and_none_stays(make: Make) -> None:
    plain = changed = pixels(make())
    for way in WAYS:
        changed = pixels(make(way))
        assert np.abs(changed - plain).mean() > 0.2, way
    assert (changed == pixels(make(WAYS[-1]))).all()
    assert (pixels(make()) == plain).all()


def test_who_only_looks_changes_nothing(make: Make) -> None:
    looked = make("look")
    assert (pixels(looked) == pixels(make())).all()
    assert looked.images[0].facts["text:Seen"] == "0 of 3"


def test_latents_that_are_flipped_give_the_flipped_picture(make: Make) -> None:
    plain, flipped = pixels(make()), pixels(make("latents"))
    assert np.abs(flipped[:, ::-1] - plain).mean() < np.abs(flipped - plain).mean()


def test_scripts_are_told_between_the_passes(make: Make) -> None:
    request = GenerationRequest(
        prompt="a cat",
        width=64,
        height=64,
        seed=5,
        sampling=Sampling(steps=2),
        hires=Hires(scale=2.0, steps=2),
    )
    assert make("hires", request).images[0].facts["text:Seen"] == "before_hr"


def test_the_model_in_use_encodes_and_decodes(make: Make) -> None:
    assert make("model").images[0].facts["text:Seen"] == "model"
