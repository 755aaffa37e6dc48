"""What the real engine draws with the starter model: does it mean what the recipe says?

Small sizes and few steps; the thresholds leave room for other processors' rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw

from tests.engine.work import RECIPE, images, pixels, work
from webui.core.errors import InvalidRequest
from webui.core.events import ImageReady
from webui.core.recipe import Recipe
from webui.core.request import (
    Hires,
    InputId,
    Mask,
    MaskArea,
    Noise,
    NoiseSource,
    ResizeMode,
    Source,
)
from webui.engine.local import LocalEngine
from webui.families.components import TEXT_ENCODER
from webui.imaging.fit import fit
from webui.imaging.masks import overlay_alpha, prepare_mask

pytestmark = pytest.mark.torch

Floats = npt.NDArray[np.float64]
PICTURE, MASK = InputId("1" * 64), InputId("2" * 64)
SIDE = 192
DRAWN: Mapping[str, Any] = {"width": SIDE, "height": SIDE, "steps": 8, "sampler": "dpmpp_2m"}


def draw(engine: LocalEngine, **changes: Any) -> Image.Image:
    (image,) = images(engine, work(**{**DRAWN, **changes}))
    return image


def middle(image: Image.Image) -> Floats:
    """The mean colour of the inner half."""
    quarter = SIDE // 4
    return pixels(image)[quarter:-quarter, quarter:-quarter].mean(axis=(0, 1))


def rim(image: Image.Image) -> Floats:
    """The mean colour of the left and right border."""
    values = pixels(image)
    return np.concatenate([values[:, :8], values[:, -8:]]).mean(axis=(0, 1))


def difference(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(pixels(one) - pixels(other)).mean())


@pytest.fixture(scope="module")
def apple(local: LocalEngine) -> Image.Image:
    return draw(local, prompt="a red apple")


@pytest.fixture
def inputs(apple: Image.Image, tmp_path: Path) -> dict[InputId, Path]:
    """An apple, and a mask over its lower right part."""
    apple.save(tmp_path / "apple.png")
    mask = Image.new("L", apple.size)
    ImageDraw.Draw(mask).rectangle((110, 100, 160, 150), fill=255)
    mask.save(tmp_path / "mask.png")
    return {PICTURE: tmp_path / "apple.png", MASK: tmp_path / "mask.png"}


def test_a_red_apple_is_redder_than_a_green_one(local: LocalEngine, apple: Image.Image) -> None:
    red, green = middle(apple), middle(draw(local, prompt="a green apple"))
    assert red[0] - red[1] > 60
    assert green[1] - green[0] > 10


def test_a_blue_background_is_blue(local: LocalEngine) -> None:
    blue = rim(draw(local, prompt="a cat, blue background"))
    assert blue[2] > blue[0] + 60
    assert blue[2] > blue[1] + 40


def test_emphasis_changes_the_picture_and_a_weight_of_1_does_not(
    local: LocalEngine, apple: Image.Image
) -> None:
    assert difference(draw(local, prompt="a (red:1.4) apple"), apple) > 1
    assert draw(local, prompt="a (red:1.0) apple").tobytes() == apple.tobytes()


def test_clip_skip_changes_the_picture(local: LocalEngine, apple: Image.Image) -> None:
    assert difference(draw(local, prompt="a red apple", clip_skip=2), apple) > 1


def test_more_clip_skip_than_layers_is_refused(local: LocalEngine) -> None:
    with pytest.raises(InvalidRequest, match="4 layers") as refused:
        draw(local, clip_skip=5)
    assert refused.value.field == "sampling.clip_skip"


def test_what_stands_beyond_75_tokens_still_counts(local: LocalEngine) -> None:
    filler = "a cat, " + "very nice, " * 30
    blue, yellow = (rim(draw(local, prompt=filler + f"{c} background")) for c in ("blue", "yellow"))
    assert blue[2] > yellow[2] + 40


def test_a_long_prompt_and_a_short_negative_one_go_together(local: LocalEngine) -> None:
    image = draw(local, prompt="a red apple, " * 30, negative_prompt="blurry", steps=2)
    assert image.size == (SIDE, SIDE)


def test_without_guidance_the_negative_prompt_is_not_asked(local: LocalEngine) -> None:
    plain = draw(local, guidance_scale=1.0)
    assert draw(local, guidance_scale=1.0, negative_prompt="red").tobytes() == plain.tobytes()
    assert draw(local, negative_prompt="red").tobytes() != draw(local).tobytes()


@pytest.mark.parametrize("sampler", ["euler", "euler_a", "dpmpp_2m"])
def test_each_sampler_finishes_a_clean_picture(local: LocalEngine, sampler: str) -> None:
    """Noise that a sampler left would be rough from pixel to pixel."""
    values = pixels(draw(local, prompt="a red apple", sampler=sampler, steps=12))
    assert np.abs(np.diff(values, axis=1)).mean() < 5


def test_samplers_and_schedules_differ(local: LocalEngine) -> None:
    ways = [
        ("euler", "uniform"),
        ("euler", "karras"),
        ("euler_a", "uniform"),
        ("dpmpp_2m", "karras"),
    ]
    drawn = {draw(local, sampler=a, schedule=b, steps=4).tobytes() for a, b in ways}
    assert len(drawn) == len(ways)


@pytest.mark.parametrize(
    ("field", "change"),
    [("sampling.sampler", {"sampler": "euler_z"}), ("sampling.schedule", {"schedule": "wavy"})],
)
def test_unknown_names_are_refused_with_the_ones_there_are(
    local: LocalEngine, field: str, change: dict[str, str]
) -> None:
    with pytest.raises(InvalidRequest, match="Choose one of: ") as refused:
        draw(local, **change)
    assert refused.value.field == field


@pytest.mark.parametrize("sampler", ["euler_a", "dpmpp_2m"])
def test_a_picture_is_bit_identical_alone_in_a_batch_and_again(
    local: LocalEngine, sampler: str
) -> None:
    recipe = Recipe(**{**vars(RECIPE), "sampler": sampler})
    batch = images(local, work(recipe, pictures=3))
    again = [images(local, work(recipe.at(index)))[0] for index in (0, 1, 2)]
    assert [image.tobytes() for image in batch] == [image.tobytes() for image in again]


def test_img2img_leaves_the_source_at_strength_0_and_more_of_it_at_less(
    local: LocalEngine, apple: Image.Image, inputs: dict[InputId, Path]
) -> None:
    distance = [
        difference(
            draw(
                local,
                inputs=inputs,
                prompt="a green apple",
                source=Source(image=PICTURE, denoising_strength=strength),
            ),
            apple,
        )
        for strength in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert distance == sorted(distance)
    assert distance[0] < 3  # the VAE's own error on this picture: about 1
    assert distance[-1] > 20


def test_img2img_keeps_the_place_of_things(local: LocalEngine, inputs: dict[InputId, Path]) -> None:
    """A red apple turned green: the colour changes, the white around it stays."""
    plan = Source(image=PICTURE, denoising_strength=0.9)
    green = draw(local, inputs=inputs, prompt="a green apple", source=plan)
    assert middle(green)[1] > middle(green)[0]
    assert rim(green).min() > 240


@pytest.mark.parametrize("mode", list(ResizeMode))
def test_img2img_brings_a_source_of_any_shape_to_size(
    local: LocalEngine, tmp_path: Path, mode: ResizeMode
) -> None:
    colour = (60, 120, 200)
    Image.new("RGB", (147, 331), colour).save(tmp_path / "odd.png")
    plan = Source(image=PICTURE, denoising_strength=0.0, resize_mode=mode)
    image = draw(local, inputs={PICTURE: tmp_path / "odd.png"}, source=plan)
    assert image.size == (SIDE, SIDE)
    assert np.abs(pixels(image) - colour).mean() < 4


@pytest.mark.parametrize("blur", [0, 6])
def test_inpainting_paints_inside_the_mask_and_nowhere_else(
    local: LocalEngine, apple: Image.Image, inputs: dict[InputId, Path], blur: int
) -> None:
    image = draw(
        local,
        inputs=inputs,
        prompt="blue background",
        source=Source(image=PICTURE, denoising_strength=1.0),
        mask=Mask(image=MASK, blur=blur),
    )
    mask = prepare_mask(Image.open(inputs[MASK]), inverted=False, blur=blur)
    outside = np.asarray(overlay_alpha(mask)) == 0
    inside = np.asarray(mask) > 250
    assert (pixels(image)[outside] == pixels(apple)[outside]).all()
    assert np.abs(pixels(image) - pixels(apple))[inside].mean() > 20


def test_inpainting_resizes_source_and_mask_alike(
    local: LocalEngine, apple: Image.Image, inputs: dict[InputId, Path]
) -> None:
    image = draw(
        local,
        inputs=inputs,
        width=256,
        height=128,
        steps=3,
        source=Source(image=PICTURE, resize_mode=ResizeMode.CROP),
        mask=Mask(image=MASK, blur=0),
    )
    kept = pixels(fit(apple, 256, 128, ResizeMode.CROP))
    assert (pixels(image)[:60] == kept[:60]).all()
    assert (pixels(image) != kept).any()


def test_only_masked_works_at_full_size_on_a_large_picture(
    local: LocalEngine, tmp_path: Path
) -> None:
    """A grey picture larger than the model draws, with a small mask: the crop is painted."""
    grey = Image.new("RGB", (640, 480), (128, 128, 128))
    mask = Image.new("L", grey.size)
    ImageDraw.Draw(mask).ellipse((400, 200, 500, 300), fill=255)
    grey.save(tmp_path / "grey.png")
    mask.save(tmp_path / "mask.png")
    image = draw(
        local,
        inputs={PICTURE: tmp_path / "grey.png", MASK: tmp_path / "mask.png"},
        prompt="a red apple",
        source=Source(image=PICTURE, denoising_strength=1.0),
        mask=Mask(image=MASK, blur=4, padding=32, area=MaskArea.MASKED),
    )
    alpha = np.asarray(prepare_mask(mask, inverted=False, blur=4))
    assert image.size == (640, 480)
    assert (pixels(image)[alpha == 0] == 128).all()
    assert np.abs(pixels(image) - 128)[alpha == 255].mean() > 20


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_own_steps_equal_the_librarys(local: LocalEngine) -> None:
    """Euler on the model's own spacing, against diffusers' whole pipeline in float32."""
    import torch
    from diffusers import EulerDiscreteScheduler, StableDiffusionPipeline

    from tests.engine.work import STARTER
    from webui.engine.device import Device
    from webui.engine.painter import Painter
    from webui.families import load_families
    from webui.families.components import Placement
    from webui.samplers import load_samplers
    from webui.schedules import load_schedules

    batch = work(width=128, height=128, steps=6, sampler="euler", schedule="uniform")
    placement = Placement(device=torch.device("cpu"), dtype=torch.float32)
    device = Device(label="CPU", placement=placement, threads=1)
    painter = Painter(device, load_families(), load_samplers(), load_schedules())
    with torch.inference_mode():
        ours = next(event.image for event in painter.paint(batch) if isinstance(event, ImageReady))
    parts = painter.manager.get(STARTER).components
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1
    )
    pipeline = StableDiffusionPipeline(
        vae=parts.vae,
        text_encoder=parts.text_encoders[TEXT_ENCODER],
        tokenizer=parts.tokenizers[TEXT_ENCODER],
        unet=parts.diffusion_model,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        RECIPE.prompt,
        num_inference_steps=6,
        guidance_scale=RECIPE.guidance_scale,
        width=128,
        height=128,
        generator=torch.Generator().manual_seed(RECIPE.seed),
    ).images[0]
    assert np.abs(pixels(ours) - pixels(theirs)).max() <= 3


@pytest.mark.parametrize("upscaler", ["latent_bicubic", "lanczos"])
def test_a_second_pass_keeps_the_picture_and_enlarges_it(
    local: LocalEngine, apple: Image.Image, upscaler: str
) -> None:
    plan = Hires(upscaler=upscaler, scale=1.5, denoising_strength=0.3, steps=3)
    larger = draw(local, prompt="a red apple", hires=plan)
    assert larger.size == (SIDE * 3 // 2, SIDE * 3 // 2)
    assert difference(larger.resize(apple.size), apple) < 25
    assert middle(larger.resize(apple.size))[0] > middle(larger.resize(apple.size))[1] + 60


def test_a_variation_strays_further_the_stronger_it_is(
    local: LocalEngine, apple: Image.Image
) -> None:
    varied = [
        draw(
            local,
            prompt="a red apple",
            noise=Noise(variation_seed=99, variation_strength=strength),
        )
        for strength in (0.05, 1.0)
    ]
    distances = [difference(image, apple) for image in varied]
    assert 0 < distances[0] < distances[1]
    assert varied[1].tobytes() == draw(local, prompt="a red apple", seed=99).tobytes()


def test_a_noise_source_makes_pictures_of_its_own(local: LocalEngine, apple: Image.Image) -> None:
    emulated = draw(local, prompt="a red apple", noise=Noise(source=NoiseSource.NV))
    assert difference(emulated, apple) > 1
    assert middle(emulated)[0] > middle(emulated)[1] + 60


def test_a_prompt_may_change_in_the_second_pass(local: LocalEngine, apple: Image.Image) -> None:
    """A fraction above 1 counts in the second pass: the apple is red until then."""
    plan = Hires(upscaler="lanczos", scale=1.0, denoising_strength=0.9, steps=6)
    green = draw(local, prompt="a [red:green:1.0] apple", hires=plan)
    red = draw(local, prompt="a red apple", hires=plan)
    assert middle(green)[1] > middle(red)[1] + 20
