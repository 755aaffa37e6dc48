"""Each kind of guidance against its formula, or against diffusers' own; alone and all together."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.attention_processor import PAGIdentitySelfAttnProcessor2_0
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import rescale_noise_cfg
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.engine.denoisers import (
    LEVELS,
    make_denoiser,
    noise,
    said,
    small_unet,
)
from tests.engine.work import images, pixels, work
from webui.core.engine import Work
from webui.core.errors import InvalidRequest
from webui.core.events import Progress
from webui.core.request import FreeU, Guidance, Tiling
from webui.engine.architectures.text import Text
from webui.engine.guidance import load_features
from webui.engine.guidance.self_attention import attention_shares, blur
from webui.engine.local import LocalEngine
from webui.families.components import Prediction

pytestmark = pytest.mark.torch

SIGMA = 1.5
SCALE = 3.0
X = noise(2, 4, 8, 8, seed=1) * SIGMA
GUIDED = said()
ALONE = said(is_guided=False)


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def unet() -> UNet2DConditionModel:
    return small_unet()


def answers(unet: UNet2DConditionModel, x: Tensor, text: Tensor, sigma: float = SIGMA) -> Tensor:
    """What the network itself says."""
    timestep = torch.tensor(LEVELS.timestep(sigma), dtype=torch.float32)
    seen = x / math.sqrt(sigma**2 + 1)
    answer: Tensor = unet(seen, timestep, text.expand(len(x), -1, -1), return_dict=False)[0]
    return answer


def clean(unet: UNet2DConditionModel, x: Tensor, text: Tensor) -> Tensor:
    """The guess of a network that answers noise."""
    return x - answers(unet, x, text) * SIGMA


def pair(unet: UNet2DConditionModel) -> tuple[Tensor, Tensor]:
    """The guesses for the positive and the negative prompt."""
    assert GUIDED.negative is not None
    positive = GUIDED.positive[0].text.tokens
    return clean(unet, X, positive), clean(unet, X, GUIDED.negative.tokens)


def guess(unet: UNet2DConditionModel, guidance: Guidance, say: Any = GUIDED) -> Tensor:
    return make_denoiser(unet, say, guidance=guidance, scale=SCALE)(X, SIGMA)


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def is_as_made(unet: UNet2DConditionModel) -> bool:
    """No hook anywhere, no function in place of a module's own."""
    return not any(
        module._forward_hooks
        or module._forward_pre_hooks
        or any(callable(value) for name, value in vars(module).items() if "forward" in name)
        for module in unet.modules()
    )


class TestSkipping:
    """Which calls go without the negative prompt."""

    def skipped(self, unet: UNet2DConditionModel, calls: int, **fields: Any) -> list[int]:
        """The calls, of 8, whose guess is the positive prompt's alone. sigma falls by 1 a call."""
        denoise = make_denoiser(
            unet, GUIDED, guidance=Guidance(**fields), scale=SCALE, calls_total=8
        )
        alone = make_denoiser(unet, ALONE)
        sigmas = [float(8 - call) for call in range(calls)]
        return [
            call
            for call, sigma in enumerate(sigmas)
            if torch.allclose(denoise(X, sigma), alone(X, sigma), atol=1e-9)
        ]

    def test_skip_first_counts_as_a1111(self, unet: UNet2DConditionModel) -> None:
        """call / calls <= part: with a quarter of 8 the calls 0, 1 and 2."""
        assert self.skipped(unet, 5, skip_first=0.25) == [0, 1, 2]

    def test_nothing_is_skipped_unasked(self, unet: UNet2DConditionModel) -> None:
        assert self.skipped(unet, 4) == []

    def test_below_a_noise_level_every_other_call_is_skipped(
        self, unet: UNet2DConditionModel
    ) -> None:
        assert self.skipped(unet, 8, skip_below=4.5) == [5, 7]

    def test_below_a_noise_level_all_can_be_skipped(self, unet: UNet2DConditionModel) -> None:
        assert self.skipped(unet, 8, skip_below=4.5, skip_below_always=True) == [4, 5, 6, 7]

    def test_a_skipped_call_has_no_unguided_guess_of_its_own(
        self, unet: UNet2DConditionModel
    ) -> None:
        denoise = make_denoiser(unet, GUIDED, guidance=Guidance(skip_first=0.5))
        guided, unguided = denoise.both(X, SIGMA)
        assert torch.equal(guided, unguided)


class TestRescale:
    """Lin et al. 2023."""

    @pytest.mark.parametrize("part", [0.3, 1.0])
    def test_on_velocity_it_is_the_librarys(self, unet: UNet2DConditionModel, part: float) -> None:
        assert GUIDED.negative is not None
        positive = answers(unet, X, GUIDED.positive[0].text.tokens)
        negative = answers(unet, X, GUIDED.negative.tokens)
        velocity = rescale_noise_cfg(negative + SCALE * (positive - negative), positive, part)
        expected = X / (SIGMA**2 + 1) - velocity * SIGMA / math.sqrt(SIGMA**2 + 1)
        denoise = make_denoiser(
            unet,
            GUIDED,
            guidance=Guidance(rescale=part),
            scale=SCALE,
            prediction=Prediction.VELOCITY,
        )
        close(denoise(X, SIGMA), expected)

    def test_a_model_of_noise_is_rescaled_as_one_of_velocity(
        self, unet: UNet2DConditionModel
    ) -> None:
        def velocity(clean: Tensor) -> Tensor:
            alpha, spread = 1 / math.sqrt(SIGMA**2 + 1), SIGMA / math.sqrt(SIGMA**2 + 1)
            return alpha * (X - clean) / SIGMA - spread * clean

        positive, _ = pair(unet)
        rescaled = velocity(guess(unet, Guidance(rescale=1.0)))
        plain = velocity(guess(unet, Guidance()))
        close(rescaled.std((1, 2, 3)), velocity(positive).std((1, 2, 3)))
        close(rescaled, rescale_noise_cfg(plain, velocity(positive), 1.0))

    def test_without_guidance_it_does_nothing(self, unet: UNet2DConditionModel) -> None:
        assert torch.equal(
            guess(unet, Guidance(rescale=0.7), ALONE), guess(unet, Guidance(), ALONE)
        )


class TestPerturbedAttention:
    """Ahn et al. 2024."""

    @pytest.mark.parametrize("say", [GUIDED, ALONE], ids=["guided", "alone"])
    def test_it_goes_away_from_the_librarys_perturbed_answer(
        self, unet: UNet2DConditionModel, say: Any
    ) -> None:
        positive = GUIDED.positive[0].text.tokens
        worse = small_unet()
        worse.mid_block.attentions[0].transformer_blocks[0].attn1.set_processor(
            PAGIdentitySelfAttnProcessor2_0()
        )
        # their processor perturbs the second half of the rows
        perturbed = clean(worse, torch.cat([X, X]), positive)[len(X) :]
        expected = guess(unet, Guidance(), say) + 2.5 * (clean(unet, X, positive) - perturbed)
        close(guess(unet, Guidance(perturbed_attention=2.5), say), expected)

    def test_each_part_of_a_prompt_counts_with_its_weight(self, unet: UNet2DConditionModel) -> None:
        pag = Guidance(perturbed_attention=2.0)
        say = said((1.0, 0.5))
        both = guess(unet, pag, say) - guess(unet, Guidance(), say)
        single = [replace(say, positive=(replace(part, weight=1.0),)) for part in say.positive]
        terms = [guess(unet, pag, s) - guess(unet, Guidance(), s) for s in single]
        close(both, terms[0] + 0.5 * terms[1])


class TestSelfAttention:
    """Hong et al. 2022."""

    def expected(self, unet: UNet2DConditionModel, say: Any, scale: float, sigma: float) -> Tensor:
        """As the paper's code: noise of the guess minus noise seen in the blurred one."""
        text = (say.negative or say.positive[0].text).tokens
        layer = unet.mid_block.attentions[0].transformer_blocks[0].attn1
        seen: list[Tensor] = []
        handle = layer.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
        noise_seen = answers(unet, X, text)
        handle.remove()
        heads = [layer.head_to_batch_dim(part(seen[0])) for part in (layer.to_q, layer.to_k)]
        attention = layer.get_attention_scores(*heads).unflatten(0, (len(X), -1))
        mask = (attention.mean(1).sum(1) > 1).to(X).view(len(X), 1, 4, 4)
        assert 0 < mask.mean() < 1
        mask = mask.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        guess = X - SIGMA * noise_seen
        degraded = gaussian(guess, sigma) * mask + guess * (1 - mask) + SIGMA * noise_seen
        return -SIGMA * scale * (noise_seen - answers(unet, degraded, text))

    @pytest.mark.parametrize("say", [GUIDED, ALONE], ids=["guided", "alone"])
    def test_it_goes_away_from_the_blurred_guess(
        self, unet: UNet2DConditionModel, say: Any
    ) -> None:
        found = guess(unet, Guidance(self_attention=0.75, self_attention_blur=1.3), say)
        added = self.expected(unet, say, 0.75, 1.3)
        # the map is summed up in single precision, whatever the network's
        torch.testing.assert_close(found, guess(unet, Guidance(), say) + added)

    def test_on_average_each_place_is_looked_at_once(self, unet: UNet2DConditionModel) -> None:
        layer = unet.mid_block.attentions[0].transformer_blocks[0].attn1
        shares = attention_shares(layer, noise(1, 20, 32))
        assert shares.shape == (1, 20)
        assert float(shares.mean()) == pytest.approx(1)

    def test_no_blur_is_none(self) -> None:
        assert torch.equal(blur(X, 0), X)


def gaussian(picture: Tensor, sigma: float) -> Tensor:
    """The blur, written as one sum over a 9 x 9 window of a mirrored picture."""
    steps = torch.arange(-4, 5, dtype=torch.float64)
    line = torch.exp(-0.5 * (steps / sigma) ** 2)
    window = (line[:, None] * line) / line.sum() ** 2
    framed = np.pad(picture.numpy(), ((0, 0), (0, 0), (4, 4), (4, 4)), mode="reflect")
    views = np.lib.stride_tricks.sliding_window_view(framed, (9, 9), axis=(2, 3))
    return torch.from_numpy((views * window.numpy()).sum((-1, -2)))


class TestDynamicThresholding:
    """The formula of its file, once more in numpy."""

    @pytest.mark.parametrize("percentile", [1.0, 0.9])
    def test_formula(self, unet: UNet2DConditionModel, percentile: float) -> None:
        positive, negative = (side.numpy() for side in pair(unet))
        guided = negative + SCALE * (positive - negative)
        mimic = negative + 1.5 * (positive - negative)

        def apart(values: np.ndarray) -> np.ndarray:
            return values - values.mean((2, 3), keepdims=True)

        a = np.abs(apart(mimic)).max((2, 3), keepdims=True)
        b = np.maximum(a, np.quantile(np.abs(apart(guided)), percentile, (2, 3), keepdims=True))
        expected = guided.mean((2, 3), keepdims=True) + np.clip(apart(guided), -b, b) * a / b
        found = guess(unet, Guidance(mimic_scale=1.5, mimic_percentile=percentile))
        close(found, torch.from_numpy(expected))

    @settings(max_examples=15, deadline=None)
    @given(mimic=st.floats(0.5, 30), percentile=st.floats(0.5, 1))
    def test_values_reach_no_further_than_with_the_mimic_scale(
        self, mimic: float, percentile: float
    ) -> None:
        network = small_unet()

        def apart(values: Tensor, mean_of: Tensor) -> Tensor:
            return (values - mean_of.mean((2, 3), keepdim=True)).abs().amax((2, 3))

        limited = guess(network, Guidance(mimic_scale=mimic, mimic_percentile=percentile))
        positive, negative = pair(network)
        like = negative + mimic * (positive - negative)
        reach = apart(limited, negative + SCALE * (positive - negative))
        assert (reach <= apart(like, like) + 1e-9).all()

    def test_its_own_scale_changes_nothing(self, unet: UNet2DConditionModel) -> None:
        close(guess(unet, Guidance(mimic_scale=SCALE)), guess(unet, Guidance()))


class TestFreeU:
    """Si et al. 2023."""

    @pytest.mark.parametrize("layers", [1, 2])
    @pytest.mark.parametrize("size", [(8, 8), (6, 10)])
    def test_it_is_the_librarys(self, layers: int, size: tuple[int, int]) -> None:
        """In the up blocks with attention and those without, with several layers in each."""
        theirs = small_unet(layers_per_block=layers).float()
        theirs.enable_freeu(s1=0.9, s2=0.2, b1=1.3, b2=1.4)
        ours = small_unet(layers_per_block=layers).float()
        x, text = noise(2, 4, *size).float(), GUIDED.positive[0].text.tokens.float()
        say = replace(ALONE, positive=(replace(ALONE.positive[0], text=Text(tokens=text)),))
        found = make_denoiser(ours, say, guidance=Guidance(freeu=FreeU()))(x, SIGMA)
        torch.testing.assert_close(found, clean(theirs, x, text), rtol=1e-5, atol=1e-5)
        assert not torch.allclose(found, clean(ours, x, text), rtol=1e-2, atol=1e-2)

    def test_it_works_in_its_part_of_the_run(self, unet: UNet2DConditionModel) -> None:
        freeu = FreeU(start=0.25, end=0.75)
        denoise = make_denoiser(unet, GUIDED, guidance=Guidance(freeu=freeu), calls_total=8)
        plain = make_denoiser(unet, GUIDED)
        changed = [not torch.equal(denoise(X, SIGMA), plain(X, SIGMA)) for _ in range(8)]
        assert changed == [False, False, True, True, True, True, False, False]

    def test_ones_change_nothing(self, unet: UNet2DConditionModel) -> None:
        found = guess(unet, Guidance(freeu=FreeU(b1=1, b2=1, s1=1, s2=1)))
        # the Fourier transform is in single precision
        torch.testing.assert_close(found, guess(unet, Guidance()), rtol=1e-4, atol=1e-4)


FEATURES = {
    "skip_first": {"skip_first": 0.1},
    "skip_below": {"skip_below": 1.0},
    "rescale": {"rescale": 0.5},
    "perturbed_attention": {"perturbed_attention": 2.0},
    "self_attention": {"self_attention": 0.75},
    "dynamic_thresholding": {"mimic_scale": 2.0, "mimic_percentile": 0.95},
    "freeu": {"freeu": FreeU()},
}


class TestTogether:
    """All of them in one run."""

    def test_every_feature_is_tried_here(self) -> None:
        assert {feature.id for feature in load_features()} == set(FEATURES)

    @pytest.mark.parametrize("name", FEATURES)
    def test_each_takes_part_beside_all_others(self, unet: UNet2DConditionModel, name: str) -> None:
        """Leaving one out changes the picture."""

        def run(names: list[str]) -> Tensor:
            fields: dict[str, Any] = {k: v for n in names for k, v in FEATURES[n].items()}
            denoise = make_denoiser(unet, GUIDED, guidance=Guidance(**fields), calls_total=8)
            x = X
            for sigma in (5.0, 2.0, 0.9, 0.5):
                x = denoise(x, sigma)
            return x

        others = [other for other in FEATURES if other != name]
        whole = run(list(FEATURES))
        assert torch.isfinite(whole).all()
        assert not torch.allclose(whole, run(others), rtol=1e-3, atol=1e-3)

    def test_limits_hold_for_all_that_was_added(self, unet: UNet2DConditionModel) -> None:
        """Rescale comes last: the spread is right whatever went before."""
        fields: dict[str, Any] = {}
        for name in ("perturbed_attention", "self_attention", "dynamic_thresholding"):
            fields |= FEATURES[name]

        def spread(clean: Tensor) -> Tensor:
            return (X - (SIGMA**2 + 1) * clean).std((1, 2, 3))

        limited = guess(unet, Guidance(rescale=1.0, **fields))
        close(spread(limited), spread(pair(unet)[0]))

    def test_the_network_is_afterwards_as_it_was(self, unet: UNet2DConditionModel) -> None:
        everything = Guidance(**{k: v for each in FEATURES.values() for k, v in each.items()})
        before = guess(unet, Guidance())
        guess(unet, everything)
        assert is_as_made(unet)
        assert torch.equal(guess(unet, Guidance()), before)

    @pytest.mark.parametrize("name", ["freeu", "perturbed_attention", "self_attention"])
    def test_so_it_is_when_it_breaks_off(self, name: str) -> None:
        unet = small_unet()
        denoise = make_denoiser(unet, GUIDED, guidance=Guidance(**FEATURES[name]))

        def out_of_memory(*_: object) -> None:
            raise RuntimeError("out of memory")

        handle = unet.conv_out.register_forward_hook(out_of_memory)
        with pytest.raises(RuntimeError, match="out of memory"):
            denoise(X, SIGMA)
        handle.remove()
        assert is_as_made(unet)


class PlainNetwork:
    """A denoising network of quite another build."""

    dtype = torch.float64


@pytest.mark.parametrize(
    ("field", "value"),
    [("perturbed_attention", 3.0), ("self_attention", 0.5), ("freeu", FreeU())],
)
def test_what_a_network_cannot_do_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(InvalidRequest) as refused:
        make_denoiser(PlainNetwork(), GUIDED, guidance=Guidance(**{field: value}))  # type: ignore[arg-type]
    assert refused.value.field == f"guidance.{field}"


@pytest.mark.parametrize("field", ["perturbed_attention", "self_attention"])
def test_a_middle_without_attention_is_told(field: str) -> None:
    unet = small_unet(mid_block_type="UNetMidBlock2D")
    with pytest.raises(InvalidRequest, match="self-attention in its middle"):
        make_denoiser(unet, GUIDED, guidance=Guidance(**{field: 1.0}))


def apple(pictures: int = 1, **changes: Any) -> Work:
    """A red apple at the size that the starter knows."""
    return work(pictures=pictures, width=256, height=256, steps=5, **changes)


@pytest.fixture(scope="module")
def plain(local: LocalEngine) -> Any:
    """The pixels of a picture without any of this."""
    (picture,) = images(local, apple())
    return pixels(picture)


class TestPictures:
    """Through the whole engine, with the starter model."""

    EVERYTHING = Guidance(**{k: v for fields in FEATURES.values() for k, v in fields.items()})

    @pytest.mark.parametrize("name", FEATURES)
    def test_the_starter_can_do_it(self, local: LocalEngine, plain: Any, name: str) -> None:
        """Another picture than without it, and still the red apple."""
        fields: dict[str, Any] = dict(FEATURES[name])
        if name == "freeu":  # the full strength, made for networks of another width, bleaches it
            fields = {"freeu": FreeU(b1=1.05, b2=1.1, s1=0.9, s2=0.8)}
        if name == "skip_below":
            fields = {"skip_below": 10.0}
        (picture,) = images(local, apple(guidance=Guidance(**fields)))
        found = pixels(picture)
        assert (found != plain).any()
        red, green, _ = found.mean((0, 1))
        assert red > green + 20

    def test_a_picture_is_the_same_in_a_batch(self, local: LocalEngine) -> None:
        batch = images(local, work(pictures=2, guidance=self.EVERYTHING))
        (alone,) = images(local, work(seed=8, guidance=self.EVERYTHING))
        assert (pixels(batch[1]) == pixels(alone)).all()

    def test_a_cancelled_run_leaves_nothing_behind(self, local: LocalEngine, plain: Any) -> None:
        running = local.generate(apple(guidance=self.EVERYTHING, tiling=Tiling.BOTH))
        while not (isinstance(event := next(running), Progress) and event.step == 2):
            pass
        running.close()
        (picture,) = images(local, apple())
        assert (pixels(picture) == plain).all()
