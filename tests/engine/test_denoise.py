"""The denoiser against closed forms: a network whose answer is known in advance."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.engine.denoisers import (
    LEVELS,
    Plan,
    make_denoiser,
    noise,
    prompts,
    said,
    small_unet,
)
from webui.core.request import Guidance
from webui.engine.architectures.text import Text
from webui.engine.denoise import Denoiser
from webui.families.components import Prediction

pytestmark = pytest.mark.torch

CLEAN = torch.full((2, 4, 3, 3), 0.25, dtype=torch.float64)
NOISE = noise(2, 4, 3, 3)


class KnowingNetwork:
    """A UNet that knows the clean picture and answers perfectly, plus what the text says."""

    dtype = torch.float64

    def __init__(self, prediction: Prediction = Prediction.EPSILON) -> None:
        self.prediction = prediction
        self.rows: list[int] = []
        self.timesteps: list[float] = []
        self.seen: list[Tensor] = []

    def __call__(
        self, sample: Tensor, timestep: Tensor, encoder_hidden_states: Tensor, **_: Any
    ) -> tuple[Tensor]:
        self.rows.append(len(sample))
        self.timesteps.append(float(timestep))
        self.seen.append(sample)
        x = sample[:, :4]
        said = encoder_hidden_states.mean(dim=(1, 2))[:, None, None, None]
        if self.prediction is Prediction.FLOW:
            return ((x - CLEAN[:1]) / float(timestep) + said,)
        alpha = 1 / (LEVELS.sigma(float(timestep)) ** 2 + 1)
        clean = CLEAN[:1]
        noise = (x - math.sqrt(alpha) * clean) / math.sqrt(1 - alpha)
        if self.prediction is Prediction.EPSILON:
            return (noise + said,)
        return (math.sqrt(alpha) * noise - math.sqrt(1 - alpha) * clean + said,)


def text(value: float, tokens: int = 77) -> Text:
    return Text(tokens=torch.full((1, tokens, 8), float(value), dtype=torch.float64))


def denoiser(
    network: KnowingNetwork, positive: float, negative: float | None, scale: float, **more: Any
) -> Denoiser:
    say = prompts([(text(positive), 1.0)], None if negative is None else text(negative))
    return make_denoiser(network, say, scale=scale, prediction=network.prediction, **more)


def close(found: Tensor, expected: Tensor, atol: float = 1e-6) -> None:
    """float32 timesteps limit how well the network knows sigma."""
    torch.testing.assert_close(found, expected.expand_as(found), atol=atol, rtol=0)


@pytest.mark.parametrize("prediction", list(Prediction))
@pytest.mark.parametrize("sigma", [0.05, 0.7, 5.0])
def test_a_perfect_network_gives_the_clean_picture(prediction: Prediction, sigma: float) -> None:
    denoise = denoiser(KnowingNetwork(prediction), 0, 0, 7)
    close(denoise(CLEAN + sigma * NOISE, sigma), CLEAN, atol=1e-4)


def test_guidance_goes_beyond_the_prompt_away_from_the_negative_one() -> None:
    denoise = denoiser(KnowingNetwork(), 0.5, 0.2, 3)
    expected = CLEAN - 2.0 * (0.2 + 3 * (0.5 - 0.2))
    close(denoise(CLEAN + 2 * NOISE, 2.0), expected, atol=1e-4)


def test_both_gives_the_unguided_guess_too() -> None:
    denoise = denoiser(KnowingNetwork(), 0.5, 0.2, 3)
    guided, unguided = denoise.both(CLEAN + 2 * NOISE, 2.0)
    close(guided, CLEAN - 2.0 * (0.2 + 3 * (0.5 - 0.2)), atol=1e-4)
    close(unguided, CLEAN - 2.0 * 0.2, atol=1e-4)


def test_without_a_negative_prompt_both_are_the_positive_one() -> None:
    guided, unguided = denoiser(KnowingNetwork(), 0.5, None, 3).both(CLEAN + NOISE, 1.0)
    assert torch.equal(guided, unguided)
    close(guided, CLEAN - 0.5, atol=1e-4)


def test_each_part_of_and_pulls_with_its_weight() -> None:
    parts = [(text(0.5), 1.0), (text(0.8), 0.6), (text(0.1), -0.4)]
    denoise = make_denoiser(KnowingNetwork(), prompts(parts, text(0.2)), scale=3)
    pull = 1.0 * (0.5 - 0.2) + 0.6 * (0.8 - 0.2) - 0.4 * (0.1 - 0.2)
    close(denoise(CLEAN + 2 * NOISE, 2.0), CLEAN - 2.0 * (0.2 + 3 * pull), atol=1e-4)


def test_parts_without_a_negative_prompt_pull_away_from_the_first() -> None:
    parts = [(text(0.5), 1.0), (text(0.8), 0.6)]
    denoise = make_denoiser(KnowingNetwork(), prompts(parts, None), scale=7)
    close(denoise(CLEAN + 2 * NOISE, 2.0), CLEAN - 2.0 * (0.5 + 0.6 * 0.3), atol=1e-4)


def test_all_prompts_go_through_the_network_at_once() -> None:
    network = KnowingNetwork()
    make_denoiser(network, said((1, 1, 1)))(CLEAN, 1.0)
    assert network.rows == [8]


def test_prompts_of_other_lengths_are_asked_apart() -> None:
    """The network takes any number of chunks, but one number at a time."""
    parts = [(text(0.5, tokens=154), 1.0), (text(0.3), 1.0)]
    network = KnowingNetwork()
    denoise = make_denoiser(network, prompts(parts, text(0.2)), scale=3)
    expected = CLEAN - 2.0 * (0.2 + 3 * (0.3 + 0.1))
    close(denoise(CLEAN + 2 * NOISE, 2.0), expected, atol=1e-4)
    assert network.rows == [2, 4]


def test_without_a_negative_prompt_the_network_does_half_the_work() -> None:
    network = KnowingNetwork()
    denoiser(network, 0, None, 1)(CLEAN, 1.0)
    assert network.rows == [2]


def test_the_network_is_told_timesteps_between_whole_ones() -> None:
    network = KnowingNetwork()
    denoiser(network, 0, 0, 7)(CLEAN, LEVELS.sigma(412.25))
    assert network.timesteps == pytest.approx([412.25], abs=1e-3)


def test_the_prompt_may_change_at_each_call() -> None:
    denoise = make_denoiser(
        KnowingNetwork(), lambda call: prompts([(text(call), 1.0)], None), scale=1
    )
    guesses = [float(denoise(CLEAN + 2 * NOISE, 2.0).mean()) for _ in range(3)]
    assert guesses == pytest.approx([0.25, 0.25 - 2, 0.25 - 4], abs=1e-4)


def test_a_denoiser_that_takes_over_goes_on_counting() -> None:
    plan = Plan(said())
    first = make_denoiser(KnowingNetwork(), plan)
    first(CLEAN, 5.0)
    second = make_denoiser(KnowingNetwork(), plan, first_call=first.calls)
    second(CLEAN, 4.0)
    second(CLEAN, 3.0)
    assert plan.calls == [0, 1, 2]


def test_extra_channels_are_seen_beside_each_latent() -> None:
    network = KnowingNetwork()
    extra = noise(1, 5, 3, 3, seed=3)
    denoiser(network, 0, 0, 7, extra_channels=extra)(CLEAN, 1.0)
    (seen,) = network.seen
    close(seen[:, 4:], extra)
    close(seen[:, :4], CLEAN[:1] / math.sqrt(2))


EVERYTHING = Guidance(
    rescale=0.5,
    perturbed_attention=2.0,
    self_attention=0.75,
    mimic_scale=2.0,
    mimic_percentile=0.95,
)


def halved(text: Text) -> Text:
    """In float32."""
    return Text(tokens=text.tokens.float())


@pytest.mark.parametrize("guidance", [Guidance(), EVERYTHING], ids=["plain", "everything"])
def test_in_exact_mode_a_picture_does_not_depend_on_its_batch(guidance: Guidance) -> None:
    unet, x = small_unet().float(), noise(3, 4, 8, 8).float()
    say = said((1.0, 0.5))
    single = prompts(
        [(halved(part.text), part.weight) for part in say.positive],
        None if say.negative is None else halved(say.negative),
    )

    def guess(x: Tensor) -> Tensor:
        return make_denoiser(unet, single, guidance=guidance, is_exact=True)(x, 1.5)

    with torch.inference_mode():
        together = guess(x)
        assert all(torch.equal(together[i : i + 1], guess(x[i : i + 1])) for i in range(3))


def test_exact_mode_means_the_same() -> None:
    unet, x = small_unet(), noise(2, 4, 8, 8)
    with torch.inference_mode():
        exact, quick = (
            make_denoiser(unet, said((1.0, 0.5)), guidance=EVERYTHING, is_exact=is_exact)(x, 1.5)
            for is_exact in (True, False)
        )
    torch.testing.assert_close(exact, quick, atol=1e-9, rtol=1e-9)


class EditingNetwork:
    """Says what it reads and what it is shown beside the latents, added up."""

    dtype = torch.float64

    def __call__(
        self, sample: Tensor, timestep: Tensor, encoder_hidden_states: Tensor, **_: Any
    ) -> tuple[Tensor]:
        said = encoder_hidden_states.mean(dim=(1, 2)) * sample[:, 4:].mean(dim=(1, 2, 3))
        return (said[:, None, None, None].expand(-1, 4, *sample.shape[2:]) + sample[:, 4:],)


@pytest.mark.parametrize("image_guidance", [1.0, 1.5, 4.0])
def test_editing_goes_from_no_picture_to_the_picture_to_the_prompt(image_guidance: float) -> None:
    """blind + scale * (prompt - picture) + image scale * (picture - blind): Brooks et al. 2023."""
    picture, sigma, x = 0.5, 2.0, CLEAN + 2.0 * NOISE
    say = prompts([(text(3.0), 1.0)], text(1.0))
    denoise = make_denoiser(
        EditingNetwork(),
        say,
        scale=7.0,
        extra_channels=torch.full((1, 4, 3, 3), picture, dtype=torch.float64),
        image_guidance=image_guidance,
    )
    prompted, seen, blind = 3.0 * picture + picture, 1.0 * picture + picture, 0.0
    noise = blind + 7.0 * (prompted - seen) + image_guidance * (seen - blind)
    close(denoise(x, sigma), x - sigma * noise)
