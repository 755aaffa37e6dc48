"""Masks: what is outside stays bit-identical, boxes lie inside the picture, blur is a Gaussian."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from webui.core.errors import InvalidRequest
from webui.core.request import ResizeMode
from webui.imaging.fit import fit
from webui.imaging.masks import (
    Box,
    fit_mask,
    gaussian_blur,
    latent_mask,
    masked_area,
    overlay_alpha,
    paste_back,
    paste_crop,
    prepare_mask,
)

Bytes = npt.NDArray[np.uint8]
sides = st.integers(1, 90)


def noise(width: int, height: int, seed: int) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def rectangle(size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
    mask = Image.new("L", size)
    mask.paste(255, box)
    return mask


@st.composite
def masks(draw: st.DrawFn) -> Image.Image:
    width, height = draw(sides), draw(sides)
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    right, bottom = draw(st.integers(left + 1, width)), draw(st.integers(top + 1, height))
    return rectangle((width, height), (left, top, right, bottom))


def reference_blur(values: Bytes, sigma: float) -> npt.NDArray[np.float64]:
    """Straight from the definition, in float64."""
    radius = int(2.5 * sigma + 0.5)
    taps = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
    taps /= taps.sum()
    blurred = values.astype(np.float64)
    for _ in range(2):
        padded = np.pad(blurred, ((0, 0), (radius, radius)), mode="reflect")
        blurred = np.stack([np.convolve(row, taps, "valid") for row in padded]).T
    return blurred


@given(arrays(np.uint8, st.tuples(sides, sides)), st.floats(0.3, 20))
def test_blur_is_the_gaussian_of_the_definition(values: Bytes, sigma: float) -> None:
    blurred = np.asarray(gaussian_blur(Image.fromarray(values), sigma))
    # Each of the two passes rounds to a whole level.
    assert np.abs(blurred - reference_blur(values, sigma)).max() <= 1.01


def test_blur_reaches_two_and_a_half_sigma_and_no_further() -> None:
    blurred = np.asarray(prepare_mask(rectangle((100, 9), (50, 0, 100, 9)), False, 4))
    # The outermost tap weighs exp(-10²/32)/10 = 0.4 %: one grey level.
    assert blurred[4, 39] == 0
    assert blurred[4, 40] == 1


def test_blur_zero_changes_nothing() -> None:
    mask = rectangle((20, 10), (3, 3, 7, 9))
    assert prepare_mask(mask, False, 0).tobytes() == mask.tobytes()


@given(masks(), st.integers(0, 8))
def test_inverting_twice_gives_the_mask_back(mask: Image.Image, blur: int) -> None:
    inverted = mask.point([255 - value for value in range(256)])
    assume(mask.getextrema() != (255, 255))
    try:
        straight = prepare_mask(mask, False, blur)
    except InvalidRequest:
        assume(False)
    assert prepare_mask(inverted, True, blur).tobytes() == straight.tobytes()


def test_alpha_channel_is_the_mask_when_it_says_something() -> None:
    mask = Image.new("RGBA", (4, 1), (255, 255, 255, 0))
    mask.putpixel((1, 0), (0, 0, 0, 128))
    mask.putpixel((2, 0), (0, 0, 0, 129))
    assert list(prepare_mask(mask, False, 0).tobytes()) == [0, 0, 255, 0]


def test_opaque_mask_is_told_by_brightness() -> None:
    mask = Image.new("RGBA", (2, 1), (0, 0, 0, 255))
    mask.putpixel((1, 0), (255, 255, 255, 255))
    assert list(prepare_mask(mask, False, 0).tobytes()) == [0, 255]


@pytest.mark.parametrize(("level", "inverted"), [(0, False), (255, True)])
def test_empty_mask_is_refused_by_name(level: int, inverted: bool) -> None:
    with pytest.raises(InvalidRequest, match="empty") as refusal:
        prepare_mask(Image.new("L", (64, 64), level), inverted, 4)
    assert refusal.value.field == "mask.image"


def test_mask_that_the_blur_dissolves_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="lower the blur"):
        prepare_mask(rectangle((99, 99), (50, 50, 51, 51)), False, 30)


def test_area_of_an_empty_mask_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="empty"):
        masked_area(Image.new("L", (64, 64)), 64, 64, 0)


@given(masks(), st.integers(1, 32), st.integers(1, 32), st.integers(0, 40))
def test_area_lies_inside_and_holds_the_padded_mask(
    mask: Image.Image, width: int, height: int, padding: int
) -> None:
    box = masked_area(mask, width, height, padding)
    left, top, right, bottom = mask.getbbox() or pytest.fail("the strategy gave an empty mask")
    assert 0 <= box.left <= max(left - padding, 0)
    assert 0 <= box.top <= max(top - padding, 0)
    assert min(right + padding, mask.width) <= box.right <= mask.width
    assert min(bottom + padding, mask.height) <= box.bottom <= mask.height


@given(masks(), st.integers(1, 32), st.integers(1, 32), st.integers(0, 40))
def test_area_has_the_shape_asked_for_where_the_picture_allows(
    mask: Image.Image, width: int, height: int, padding: int
) -> None:
    box = masked_area(mask, width, height, padding)
    # Less than a pixel is lost to rounding, on the side that grew.
    is_right = (
        abs(box.width * height / width - box.height) < 1
        or abs(box.height * width / height - box.width) < 1
    )
    assert is_right or box.width == mask.width or box.height == mask.height


def test_area_at_the_border_is_moved_inside() -> None:
    mask = rectangle((100, 100), (90, 40, 100, 60))
    assert masked_area(mask, 64, 64, 0) == Box(80, 40, 100, 60)
    assert masked_area(mask, 64, 64, 10) == Box(60, 30, 100, 70)


@pytest.mark.parametrize(
    ("picture", "masked", "size", "padding", "box"),
    [
        ((512, 512), (200, 200, 300, 260), (512, 512), 32, Box(168, 148, 332, 312)),
        ((640, 480), (0, 0, 50, 50), (768, 512), 32, Box(0, 0, 123, 82)),  # moved inside
        ((300, 200), (250, 150, 300, 200), (512, 768), 0, Box(250, 125, 300, 200)),
        ((200, 40), (60, 0, 140, 40), (256, 256), 8, Box(52, 0, 148, 40)),  # clipped
        ((512, 512), (10, 100, 41, 400), (1024, 512), 16, Box(0, 84, 512, 416)),
    ],
)
def test_area_is_a1111s(
    picture: tuple[int, int],
    masked: tuple[int, int, int, int],
    size: tuple[int, int],
    padding: int,
    box: Box,
) -> None:
    """Worked out by hand: bounds, padding clipped to the picture, widened by whole pixels with
    the odd one at the far side, moved inside, and clipped last."""
    assert masked_area(rectangle(picture, masked), *size, padding) == box


@given(masks(), st.integers(0, 6), st.integers(0, 2**32))
def test_whole_picture_paste_keeps_the_outside_bit_identical(
    mask: Image.Image, blur: int, seed: int
) -> None:
    source, painted = noise(*mask.size, seed), noise(*mask.size, seed + 1)
    alpha = overlay_alpha(gaussian_blur(mask, blur))
    pasted = np.asarray(paste_back(source, painted, alpha))
    outside, inside = np.asarray(alpha) == 0, np.asarray(alpha) == 255
    assert (pasted[outside] == np.asarray(source)[outside]).all()
    assert (pasted[inside] == np.asarray(painted)[inside]).all()


@given(masks(), st.integers(0, 6), st.integers(0, 40), st.integers(0, 2**32))
def test_crop_paste_keeps_the_outside_bit_identical(
    mask: Image.Image, blur: int, padding: int, seed: int
) -> None:
    alpha = gaussian_blur(mask, blur)
    assume(alpha.getbbox() is not None)
    source, painted = noise(*mask.size, seed), noise(32, 48, seed + 1)
    before = source.tobytes()
    box = masked_area(alpha, 32, 48, padding)
    pasted = np.asarray(paste_crop(source, painted, alpha, box))
    outside = np.asarray(alpha) == 0
    assert (pasted[outside] == np.asarray(source)[outside]).all()
    assert source.tobytes() == before


def test_a_crop_that_the_border_cut_off_comes_back_to_its_place() -> None:
    """The working size is square, the picture a thin strip: fill going in, crop coming back."""
    ramp = np.tile(np.arange(200, dtype=np.uint8), (40, 1))
    source = Image.fromarray(ramp).convert("RGB")
    mask = rectangle((200, 40), (60, 0, 140, 40))
    box = masked_area(mask, 256, 256, 8)
    work = fit(source.crop(box), 256, 256, ResizeMode.FILL)
    pasted = np.asarray(paste_crop(source, work, mask, box)).astype(int)
    assert np.abs(pasted - np.asarray(source).astype(int)).max() <= 2


def test_overlay_doubles_and_clips() -> None:
    mask = Image.frombytes("L", (5, 1), bytes([0, 1, 64, 128, 255]))
    assert list(overlay_alpha(mask).tobytes()) == [0, 2, 128, 255, 255]


@given(masks(), st.integers(1, 20), st.integers(1, 20))
def test_latent_mask_is_zero_or_one(mask: Image.Image, width: int, height: int) -> None:
    cells = latent_mask(mask, width, height)
    assert cells.shape == (height, width)
    assert cells.dtype == np.float32
    assert set(np.unique(cells)) <= {0.0, 1.0}


def test_a_soft_latent_mask_keeps_what_lies_between() -> None:
    half = Image.new("L", (64, 64), 102)
    assert (latent_mask(half, 8, 8, is_soft=True) == np.float32(0.4)).all()


def test_latent_mask_covers_the_masked_cells() -> None:
    cells = latent_mask(rectangle((64, 64), (32, 0, 64, 64)), 8, 8)
    assert (cells == np.array([0, 0, 0, 0, 1, 1, 1, 1])).all()


@pytest.mark.parametrize("mode", list(ResizeMode))
def test_mask_stays_on_the_same_things_as_the_picture(mode: ResizeMode) -> None:
    mask = rectangle((80, 40), (20, 0, 60, 40))
    picture = fit(mask, 64, 64, ResizeMode.STRETCH if mode == ResizeMode.LATENT else mode)
    assert fit_mask(mask, 64, 64, mode).tobytes() == picture.convert("L").tobytes()
