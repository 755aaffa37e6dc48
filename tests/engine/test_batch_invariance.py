"""Picture i of a batch is the picture made alone: for every sampler, to the last bit."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest
import torch
from torch import Tensor

from tests.engine.work import RECIPE, images, work
from webui.core.recipe import Recipe
from webui.core.request import Noise, NoiseSource
from webui.engine.local import LocalEngine
from webui.engine.noise import PictureNoise
from webui.samplers import load_samplers
from webui.samplers.sampler import Run
from webui.schedules import load_schedules
from webui.schedules.noise_levels import NoiseLevels
from webui.schedules.walk import walk_sigmas

pytestmark = pytest.mark.torch

SHAPE: Final = (4, 6, 5)
LEVELS: Final = NoiseLevels((0.0292 + i / 999 * 0.0804) ** 2 for i in range(1000))
SAMPLERS: Final = tuple(sampler.id for sampler in load_samplers())
NOT_ADAPTIVE: Final = tuple(each.id for each in load_samplers() if not each.is_adaptive)
"""The others choose their steps by all pictures they see; the engine gives them one at a time."""
HANDFUL: Final = ("euler_a", "dpmpp_sde", "ddim", "restart")


class Elementwise:
    """A guess that treats each number alone, so that only a sampler can mix the pictures."""

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        return torch.tanh(x / (1 + sigma))

    def both(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        return self(x, sigma), torch.sin(x / (1 + sigma))


def walked(recipes: list[Recipe], steps: int = 7) -> Tensor:
    sampler = load_samplers()[recipes[0].sampler]
    sigmas = walk_sigmas(
        sampler, load_schedules(), "automatic", LEVELS, steps, RECIPE.parameters, "sd15"
    )
    span = (min(sigma for sigma in sigmas if sigma > 0), max(sigmas))
    noise = PictureNoise(recipes, SHAPE, torch.device("cpu"), span)
    x = noise.first() * sigmas[0]
    for step in sampler.sample(Elementwise(), x, Run(sigmas=sigmas, noise=noise)):
        x = step.x
    return x


@pytest.mark.parametrize("sampler", NOT_ADAPTIVE)
@pytest.mark.parametrize("source", [NoiseSource.CPU, NoiseSource.NV])
def test_a_sampler_does_not_mix_the_pictures_of_a_batch(sampler: str, source: NoiseSource) -> None:
    first = replace(RECIPE, sampler=sampler, noise=Noise(source=source, seed_delta=31337))
    recipes = [first.at(index) for index in range(3)]
    together = walked(recipes)
    for index, recipe in enumerate(recipes):
        assert torch.equal(together[index], walked([recipe])[0])
    assert bool(torch.isfinite(together).all())


@pytest.mark.parametrize(
    "sampler",
    [pytest.param(s, marks=() if s in HANDFUL else pytest.mark.slow) for s in SAMPLERS],
)
def test_pictures_of_the_starter_model_are_the_same_alone(local: LocalEngine, sampler: str) -> None:
    recipe = replace(RECIPE, sampler=sampler, width=64, height=64, steps=3)
    batch = images(local, work(recipe, pictures=2))
    alone = [images(local, work(recipe.at(index)))[0] for index in (0, 1)]
    assert [image.tobytes() for image in batch] == [image.tobytes() for image in alone]
    assert batch[0].tobytes() != batch[1].tobytes()
