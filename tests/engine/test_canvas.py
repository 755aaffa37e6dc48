"""What a recipe paints on, and what of the source stays: pictures only, no model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.engine.work import RECIPE, pixels
from webui.core.errors import InvalidRequest
from webui.core.recipe import Recipe
from webui.core.request import InputId, Mask, MaskArea, ResizeMode, Source
from webui.engine.canvas import make_canvas

PICTURE, MASK = InputId("1" * 64), InputId("2" * 64)
RED = Image.new("RGB", (128, 64), "red")


@pytest.fixture
def inputs(tmp_path: Path) -> dict[InputId, Path]:
    """A colourful picture of 120 x 80, and a mask over its middle."""
    values = np.random.default_rng(0).integers(0, 256, (80, 120, 3), dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "picture.png")
    mask = Image.new("L", (120, 80))
    ImageDraw.Draw(mask).rectangle((50, 30, 69, 49), fill=255)
    mask.save(tmp_path / "mask.png")
    return {PICTURE: tmp_path / "picture.png", MASK: tmp_path / "mask.png"}


def recipe(mode: ResizeMode = ResizeMode.STRETCH, mask: Mask | None = None) -> Recipe:
    return replace(RECIPE, source=Source(image=PICTURE, resize_mode=mode), mask=mask)


def test_txt2img_begins_with_nothing_and_changes_nothing() -> None:
    canvas = make_canvas(RECIPE, {})
    assert (canvas.source, canvas.mask) == (None, None)
    assert canvas.finish(RED) is RED


@pytest.mark.parametrize("mode", [ResizeMode.STRETCH, ResizeMode.CROP, ResizeMode.FILL])
def test_a_source_has_the_size_of_the_recipe(inputs: dict[InputId, Path], mode: ResizeMode) -> None:
    canvas = make_canvas(recipe(mode), inputs)
    assert canvas.source is not None
    assert canvas.source.size == (RECIPE.width, RECIPE.height)


@pytest.mark.parametrize(("size", "kept"), [((121, 87), (120, 80)), ((4100, 130), (2048, 64))])
def test_a_source_whose_latent_is_resized_keeps_its_own_size(
    tmp_path: Path, size: tuple[int, int], kept: tuple[int, int]
) -> None:
    """In whole cells of 8 pixels, and not beyond what can be encoded at once."""
    Image.new("RGB", size, "blue").save(tmp_path / "picture.png")
    canvas = make_canvas(recipe(ResizeMode.LATENT), {PICTURE: tmp_path / "picture.png"})
    assert canvas.source is not None
    assert canvas.source.size == kept


def test_transparent_parts_of_a_source_are_white(tmp_path: Path) -> None:
    Image.new("RGBA", (128, 64), (255, 0, 0, 0)).save(tmp_path / "picture.png")
    canvas = make_canvas(recipe(), {PICTURE: tmp_path / "picture.png"})
    assert canvas.source is not None
    assert canvas.source.getextrema() == ((255, 255),) * 3


@pytest.mark.parametrize("mode", list(ResizeMode))
def test_the_whole_picture_keeps_its_pixels_outside_the_mask(
    inputs: dict[InputId, Path], mode: ResizeMode
) -> None:
    canvas = make_canvas(recipe(mode, Mask(image=MASK, blur=0)), inputs)
    assert canvas.mask is not None
    assert canvas.mask.size == (128, 64)
    finished = pixels(canvas.finish(RED))
    outside = np.asarray(canvas.mask) == 0
    blue = Image.new("RGB", RED.size, "blue")
    assert (finished[outside] == pixels(canvas.finish(blue))[outside]).all()
    assert (finished[np.asarray(canvas.mask) == 255] == (255, 0, 0)).all()


def test_only_masked_works_on_the_surroundings_at_full_size(inputs: dict[InputId, Path]) -> None:
    mask = Mask(image=MASK, area=MaskArea.MASKED, blur=0, padding=10)
    canvas = make_canvas(recipe(mask=mask), inputs)
    assert canvas.source is not None
    assert canvas.mask is not None
    assert canvas.source.size == canvas.mask.size == RED.size
    finished = canvas.finish(RED)
    assert finished.size == (120, 80)
    inside = np.asarray(Image.open(inputs[MASK])) == 255
    assert (pixels(finished)[inside] == (255, 0, 0)).all()
    original = pixels(Image.open(inputs[PICTURE]))
    assert (pixels(finished)[~inside] == original[~inside]).all()


def test_only_masked_enlarges_a_small_mask(inputs: dict[InputId, Path]) -> None:
    """20 x 20 pixels of 120 x 80, 8 around them, widened to 2:1, painted at 128 x 64."""
    mask = Mask(image=MASK, area=MaskArea.MASKED, blur=0, padding=8)
    canvas = make_canvas(recipe(mask=mask), inputs)
    assert canvas.mask is not None
    left, top, right, bottom = canvas.mask.point(lambda value: 255 * (value > 127)).getbbox() or ()
    assert right - left == pytest.approx(20 * 128 / 72, abs=2)
    assert bottom - top == pytest.approx(20 * 64 / 36, abs=2)


def test_a_mask_of_another_size_is_brought_to_the_pictures(inputs: dict[InputId, Path]) -> None:
    same = make_canvas(recipe(mask=Mask(image=MASK, blur=0)), inputs)
    Image.open(inputs[MASK]).resize((240, 160), Image.Resampling.NEAREST).save(inputs[MASK])
    larger = make_canvas(recipe(mask=Mask(image=MASK, blur=0)), inputs)
    assert same.mask is not None
    assert larger.mask is not None
    assert np.abs(np.asarray(larger.mask, int) - np.asarray(same.mask, int)).mean() < 3


def test_an_empty_mask_is_refused(inputs: dict[InputId, Path]) -> None:
    Image.new("L", (120, 80)).save(inputs[MASK])
    with pytest.raises(InvalidRequest, match="empty") as refused:
        make_canvas(recipe(mask=Mask(image=MASK)), inputs)
    assert refused.value.field == "mask.image"


@pytest.mark.parametrize(("gone", "field"), [(PICTURE, "source.image"), (MASK, "mask.image")])
def test_a_picture_that_is_gone_is_named(
    inputs: dict[InputId, Path], gone: InputId, field: str
) -> None:
    inputs[gone].unlink()
    with pytest.raises(InvalidRequest) as refused:
        make_canvas(recipe(mask=Mask(image=MASK)), inputs)
    assert refused.value.field == field


def test_a_picture_that_was_never_sent_is_named() -> None:
    with pytest.raises(InvalidRequest) as refused:
        make_canvas(recipe(), {})
    assert refused.value.field == "source.image"


def test_a_photo_that_lies_on_its_side_is_taken_upright(tmp_path: Path) -> None:
    """Cameras write pictures as the sensor lay, and beside it which way is up (EXIF 274)."""
    picture = Image.new("RGB", (128, 64), "blue")
    picture.paste("red", (0, 0, 64, 64))
    exif = Image.Exif()
    exif[274] = 6  # turn clockwise by 90 degrees: what was left is at the top
    picture.save(tmp_path / "photo.jpg", exif=exif)
    canvas = make_canvas(recipe(), {PICTURE: tmp_path / "photo.jpg"})
    assert canvas.source is not None
    top, bottom = canvas.source.getpixel((64, 5)), canvas.source.getpixel((64, 58))
    assert top == pytest.approx((254, 0, 0), abs=3)
    assert bottom == pytest.approx((0, 0, 254), abs=3)
