"""What a pass begins with, and when a refiner takes over."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.engine.work import RECIPE, STARTER
from webui.core.recipe import Recipe
from webui.core.request import Hires, InputId, SamplerParameters, Source
from webui.engine.canvas import Canvas
from webui.engine.noise import PictureNoise
from webui.engine.passes.plan import Pass
from webui.engine.passes.start import Start, first_latents
from webui.engine.refiner import Relay
from webui.samplers import load_samplers
from webui.schedules.noise_levels import NoiseLevels

pytestmark = pytest.mark.torch

SHAPE = (4, 4, 4)
SIGMA = 3.0
PICTURE = InputId("1" * 64)
LATENT = torch.full((1, *SHAPE), 0.5)
LEVELS = NoiseLevels((0.0292 + i / 999 * 0.0804) ** 2 for i in range(1000))


def drawn() -> Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(RECIPE.seed))


def begun(recipe: Recipe, source: Tensor | None = None, sampler: str = "euler") -> Tensor:
    noise = PictureNoise([recipe], SHAPE, torch.device("cpu"))
    this = Pass(recipe=recipe, model=STARTER)
    start = Start(canvas=Canvas(), source=source)
    return first_latents(this, start, noise, load_samplers()[sampler], SIGMA)[0]


def img2img(**changes: Any) -> Recipe:
    return replace(RECIPE, source=Source(image=PICTURE, **changes))


def test_a_picture_from_words_begins_with_noise_of_the_first_level() -> None:
    assert torch.equal(begun(RECIPE), drawn() * SIGMA)


@pytest.mark.parametrize(
    ("sampler", "parameters"),
    [("euler", SamplerParameters(sgm_noise=True)), ("ddim", SamplerParameters())],
)
def test_noise_may_have_the_pictures_spread_besides(
    sampler: str, parameters: SamplerParameters
) -> None:
    wide = begun(replace(RECIPE, parameters=parameters), sampler=sampler)
    assert torch.equal(wide, drawn() * math.sqrt(1 + SIGMA**2))


def test_a_source_begins_with_its_noise_laid_over() -> None:
    assert torch.equal(begun(img2img(), LATENT), LATENT[0] + drawn() * SIGMA)


def test_noise_is_multiplied_and_extra_noise_added() -> None:
    latents = begun(img2img(noise_multiplier=0.5, extra_noise=0.25), LATENT)
    assert torch.allclose(latents, LATENT[0] + drawn() * 0.5 * (SIGMA + 0.25))


def test_a_second_pass_has_its_noise_unchanged() -> None:
    recipe = replace(RECIPE, hires=Hires())
    assert torch.equal(begun(recipe, LATENT), LATENT[0] + drawn() * SIGMA)


class Named:
    """Answers with a number of its own."""

    def __init__(self, answer: float) -> None:
        self.answer = answer

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        return torch.full_like(x, self.answer)

    def both(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        return self(x, sigma), self(x, sigma)


@pytest.mark.parametrize(
    ("switch_at", "timestep", "answer"),
    [(0.8, 200, 1.0), (0.8, 199, 2.0), (0.5, 500, 1.0), (0.5, 499, 2.0), (0.01, 989, 2.0)],
)
def test_a_refiner_takes_over_by_the_timestep(
    switch_at: float, timestep: int, answer: float
) -> None:
    """(999 - t) / 1000 >= switch_at, with the timestep nearest to the noise level."""
    relay = Relay(Named(1.0), LEVELS, switch_at, lambda calls: Named(2.0))
    assert float(relay(torch.zeros(1), LEVELS.sigma(timestep))) == answer


def test_a_refiner_goes_on_counting_and_does_not_give_back() -> None:
    counts = []

    def second(calls: int) -> Named:
        counts.append(calls)
        return Named(2.0)

    relay = Relay(Named(1.0), LEVELS, 0.5, second)
    answers = [float(relay.both(torch.zeros(1), LEVELS.sigma(t))[0]) for t in (900, 600, 300, 700)]
    assert answers == [1.0, 1.0, 2.0, 2.0]
    assert counts == [2]
