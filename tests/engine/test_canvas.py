"""What a recipe paints on, and what of the source stays: pictures only, no model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.engine.work import RECIPE, images, pixels, work
from webui.core.errors import InvalidRequest
from webui.core.recipe import Recipe
from webui.core.request import (
    InputId,
    Mask,
    MaskArea,
    MaskContent,
    Outpaint,
    ResizeMode,
    SoftInpainting,
    Source,
)
from webui.engine.canvas import make_canvas
from webui.engine.fake import FakeEngine
from webui.imaging.masks import prepare_mask
from webui.imaging.outpaint import outpaint_size, result_size

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


@pytest.mark.parametrize("area", list(MaskArea))
@pytest.mark.parametrize("content", list(MaskContent))
@pytest.mark.parametrize("soft", [None, SoftInpainting()])
@pytest.mark.parametrize("color_correction", [False, True])
def test_what_is_not_masked_keeps_every_pixel_however_it_is_painted(
    inputs: dict[InputId, Path],
    area: MaskArea,
    content: MaskContent,
    soft: SoftInpainting | None,
    color_correction: bool,
) -> None:
    """A picture painted in one colour stands for any that came back from the VAE."""
    mask = Mask(image=MASK, area=area, blur=3, padding=6, content=content, soft=soft)
    asked = recipe(mask=mask)
    assert asked.source is not None
    asked = replace(
        asked,
        width=120,
        height=80,
        source=replace(asked.source, color_correction=color_correction),
    )
    canvas = make_canvas(asked, inputs)
    assert canvas.content is content
    painted = Image.new("RGB", (120, 80), "red")
    finished, original = pixels(canvas.finish(painted)), pixels(Image.open(inputs[PICTURE]))
    prepared = np.asarray(prepare_mask(Image.open(inputs[MASK]), False, 3))
    assert (finished[prepared == 0] == original[prepared == 0]).all()
    assert (finished[prepared == 255] != original[prepared == 255]).any()


def test_fill_hides_the_source_under_the_mask_and_only_there(inputs: dict[InputId, Path]) -> None:
    blocks = Image.new("RGB", (128, 64), "blue")
    blocks.paste("yellow", (50, 20, 78, 44))
    blocks.save(inputs[PICTURE])
    mask = Image.new("L", (128, 64))
    mask.paste(255, (40, 10, 88, 54))
    mask.save(inputs[MASK])
    canvas = make_canvas(recipe(mask=Mask(image=MASK, blur=0, content=MaskContent.FILL)), inputs)
    assert canvas.source is not None
    assert np.abs(pixels(canvas.source) - (0, 0, 255)).max() <= 10


@pytest.mark.parametrize("area", list(MaskArea))
def test_a_soft_mask_gives_back_what_did_not_change(
    inputs: dict[InputId, Path], area: MaskArea
) -> None:
    """Repainted almost as it was, not a pixel is taken from the painted picture."""
    ramp = np.linspace(20, 230, 120)[None, :, None].repeat(80, 0).repeat(3, 2)
    Image.fromarray(ramp.astype(np.uint8)).save(inputs[PICTURE])
    soft = recipe(mask=Mask(image=MASK, area=area, padding=10, soft=SoftInpainting()))
    canvas = make_canvas(replace(soft, width=120, height=80), inputs)
    assert canvas.source is not None
    nearly = canvas.source.point([min(255, value + 3) for value in range(256)] * 3)
    assert canvas.finish(nearly).tobytes() == Image.open(inputs[PICTURE]).tobytes()


def test_colour_correction_takes_the_colours_of_the_source(tmp_path: Path) -> None:
    y, x = np.mgrid[0:64, 0:128] / 128
    source = Image.fromarray((np.dstack([80 + 90 * x, 90 + 80 * y, 150 - 60 * x])).astype(np.uint8))
    source.save(tmp_path / "picture.png")
    plain = recipe()
    assert plain.source is not None
    asked = replace(plain, source=replace(plain.source, color_correction=True))
    tinted = source.point([min(255, value + 12) for value in range(256)] + list(range(256)) * 2)
    inputs = {PICTURE: tmp_path / "picture.png"}
    as_it_is, corrected = (make_canvas(which, inputs).finish(tinted) for which in (plain, asked))
    assert as_it_is is tinted
    tint = (pixels(corrected) - pixels(source)).mean(axis=(0, 1))
    assert np.ptp(tint) < 1  # it was 12; what is left is light, the same in all three


def outpainted(outpaint: Outpaint, mask: Mask | None = None) -> Recipe:
    width, height = outpaint_size((120, 80), outpaint)
    return replace(recipe(mask=mask), width=width, height=height, outpaint=outpaint)


OUTPAINTS = [
    Outpaint(left=30),
    Outpaint(right=13, overlap=0),
    Outpaint(top=8, bottom=50, overlap=24),
    Outpaint(left=5, right=6, top=7, bottom=9),
]


@pytest.mark.parametrize("outpaint", OUTPAINTS)
def test_new_sides_add_exactly_what_was_asked_and_leave_the_source_alone(
    inputs: dict[InputId, Path], outpaint: Outpaint
) -> None:
    asked = outpainted(outpaint)
    canvas = make_canvas(asked, inputs)
    assert canvas.source is not None
    assert canvas.mask is not None
    assert canvas.source.size == canvas.mask.size == (asked.width, asked.height)
    finished = canvas.finish(Image.new("RGB", canvas.source.size, "red"))
    assert finished.size == result_size((120, 80), outpaint)
    values, original = pixels(finished), pixels(Image.open(inputs[PICTURE]))
    left, top, overlap = outpaint.left, outpaint.top, outpaint.overlap
    within = values[top : top + 80, left : left + 120]
    rows = slice(overlap * bool(top), 80 - overlap * bool(outpaint.bottom))
    columns = slice(overlap * bool(left), 120 - overlap * bool(outpaint.right))
    assert (within[rows, columns] == original[rows, columns]).all()
    is_new = np.ones(values.shape[:2], bool)
    is_new[top : top + 80, left : left + 120] = False
    assert (values[is_new] == (255, 0, 0)).all()


def test_new_sides_start_from_the_edge(inputs: dict[InputId, Path]) -> None:
    canvas = make_canvas(outpainted(Outpaint(left=40)), inputs)
    assert canvas.source is not None
    values = pixels(canvas.source)
    assert (values[:, :40] == values[:, 40:41]).all()


def test_a_mask_on_the_source_is_painted_besides_the_new_sides(inputs: dict[InputId, Path]) -> None:
    outpaint = Outpaint(right=40, overlap=0)
    canvas = make_canvas(outpainted(outpaint, Mask(image=MASK, blur=0)), inputs)
    finished = pixels(canvas.finish(Image.new("RGB", (160, 80), "red")))
    masked = np.asarray(Image.open(inputs[MASK])) == 255
    assert (finished[:, :120][masked] == (255, 0, 0)).all()
    assert (finished[:, :120][~masked] == pixels(Image.open(inputs[PICTURE]))[~masked]).all()


def test_new_sides_and_only_masked_exclude_each_other(inputs: dict[InputId, Path]) -> None:
    asked = outpainted(Outpaint(right=40), Mask(image=MASK, area=MaskArea.MASKED))
    with pytest.raises(InvalidRequest, match="whole picture") as refused:
        make_canvas(asked, inputs)
    assert refused.value.field == "mask.area"


def test_a_size_that_new_sides_dont_give_is_refused(inputs: dict[InputId, Path]) -> None:
    asked = replace(outpainted(Outpaint(right=40)), width=256)
    with pytest.raises(InvalidRequest, match="160×80") as refused:
        make_canvas(asked, inputs)
    assert refused.value.field == "outpaint"


def test_the_fake_engine_paints_new_sides_too(inputs: dict[InputId, Path]) -> None:
    asked = outpainted(Outpaint(left=30, overlap=0))
    (picture,) = images(FakeEngine(), work(asked, inputs=inputs))
    assert picture.size == (150, 80)
    assert (pixels(picture)[:, 30:] == pixels(Image.open(inputs[PICTURE]))).all()
