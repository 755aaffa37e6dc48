"""The denoiser against closed forms: a network whose answer is known in advance."""

from __future__ import annotations

import math
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from webui.core.request import Guidance
from webui.engine.conditioning import Conditioning
from webui.engine.denoise import Denoiser, keep_outside
from webui.families.components import Components, Prediction
from webui.schedules.noise_levels import NoiseLevels

pytestmark = pytest.mark.torch

LEVELS = NoiseLevels([(0.03 + 0.0001 * i) ** 2 for i in range(1000)])
CLEAN = torch.full((2, 4, 3, 3), 0.25)
NOISE = torch.randn((2, 4, 3, 3), generator=torch.Generator().manual_seed(0))


class KnowingNetwork:
    """A UNet that knows the clean picture and answers perfectly, plus what the text says."""

    dtype = torch.float32

    def __init__(self, prediction: Prediction) -> None:
        self.prediction = prediction
        self.rows: list[int] = []
        self.timesteps: list[float] = []

    def __call__(self, x: Tensor, timestep: Tensor, text: Tensor, **_: Any) -> tuple[Tensor]:
        self.rows.append(len(x))
        self.timesteps.append(float(timestep))
        alpha = 1 / (LEVELS.sigma(float(timestep)) ** 2 + 1)
        clean = CLEAN.repeat(len(x) // 2, 1, 1, 1)
        noise = (x - math.sqrt(alpha) * clean) / math.sqrt(1 - alpha)
        said = text.mean(dim=(1, 2))[:, None, None, None]
        if self.prediction is Prediction.EPSILON:
            return (noise + said,)
        return (math.sqrt(alpha) * noise - math.sqrt(1 - alpha) * clean + said,)


class Constant:
    """A plan that says the same at each call."""

    def __init__(self, conditioning: Conditioning) -> None:
        self._conditioning = conditioning

    def at(self, call: int) -> Conditioning:
        return self._conditioning


def text(value: float) -> Tensor:
    return torch.full((1, 77, 8), float(value))


def denoiser(
    network: KnowingNetwork, positive: float, negative: float | None, scale: float
) -> Denoiser:
    components = Components(
        unet=cast("Any", network),
        vae=cast("Any", None),
        text_encoder=cast("Any", None),
        tokenizer=cast("Any", None),
        betas=(),
        prediction=network.prediction,
    )
    said = None if negative is None else text(negative)
    plan = Constant(Conditioning(positive=text(positive), negative=said))
    return Denoiser(components, LEVELS, plan, Guidance(), scale, calls_total=20, is_exact=False)


@pytest.mark.parametrize("prediction", list(Prediction))
@pytest.mark.parametrize("sigma", [0.05, 0.7, 5.0])
def test_a_perfect_network_gives_the_clean_picture(prediction: Prediction, sigma: float) -> None:
    denoise = denoiser(KnowingNetwork(prediction), 0, 0, 7)
    torch.testing.assert_close(denoise(CLEAN + sigma * NOISE, sigma), CLEAN, atol=2e-4, rtol=0)


def test_guidance_goes_beyond_the_prompt_away_from_the_negative_one() -> None:
    denoise = denoiser(KnowingNetwork(Prediction.EPSILON), 0.5, 0.2, 3)
    expected = CLEAN - 2.0 * (0.2 + 3 * (0.5 - 0.2))
    torch.testing.assert_close(denoise(CLEAN + 2 * NOISE, 2.0), expected, atol=1e-4, rtol=0)


def test_both_prompts_go_through_the_network_at_once() -> None:
    network = KnowingNetwork(Prediction.EPSILON)
    denoiser(network, 0, 0, 7)(CLEAN, 1.0)
    assert network.rows == [4]


def test_without_a_negative_prompt_the_network_does_half_the_work() -> None:
    network = KnowingNetwork(Prediction.EPSILON)
    denoiser(network, 0, None, 1)(CLEAN, 1.0)
    assert network.rows == [2]


def test_the_network_is_told_timesteps_between_whole_ones() -> None:
    network = KnowingNetwork(Prediction.EPSILON)
    denoiser(network, 0, 0, 7)(CLEAN, LEVELS.sigma(412.25))
    assert network.timesteps == pytest.approx([412.25], abs=1e-3)


def test_outside_the_mask_the_source_is_kept() -> None:
    mask = torch.zeros(1, 1, 3, 3)
    mask[..., 1, 1] = 1
    kept = torch.full((1, 4, 3, 3), 9.0)
    blended = keep_outside(lambda x, sigma: CLEAN, kept, mask)(NOISE, 1.0)
    assert (blended[..., 1, 1] == 0.25).all()
    assert (blended[..., 0, :] == 9).all()
