"""Fit modes: exact sizes, nothing distorted that should not be, A1111's geometry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from webui.core.request import ResizeMode
from webui.imaging.fit import fit

sides = st.integers(1, 120)


def gradient(width: int, height: int) -> Image.Image:
    """Red grows to the right, green downwards."""
    red = np.linspace(0, 255, width)[None, :].repeat(height, 0)
    green = np.linspace(0, 255, height)[:, None].repeat(width, 1)
    return Image.fromarray(np.stack([red, green, red * 0], -1).astype(np.uint8))


@given(sides, sides, sides, sides, st.sampled_from([m for m in ResizeMode if m != "latent"]))
def test_size_is_exactly_what_was_asked(
    w: int, h: int, width: int, height: int, mode: ResizeMode
) -> None:
    fitted = fit(gradient(w, h), width, height, mode)
    assert (fitted.size, fitted.mode) == ((width, height), "RGB")


@given(sides, sides, st.sampled_from(ResizeMode))
def test_picture_of_the_right_size_keeps_its_pixels(w: int, h: int, mode: ResizeMode) -> None:
    picture = gradient(w, h)
    assert fit(picture, w, h, mode).tobytes() == picture.tobytes()


def test_latent_mode_keeps_the_pictures_own_size() -> None:
    assert fit(gradient(30, 20), 64, 64, ResizeMode.LATENT).size == (30, 20)


def test_stretch_shows_the_whole_picture() -> None:
    pixels = np.asarray(fit(gradient(100, 50), 64, 64, ResizeMode.STRETCH))
    assert pixels[32, 0, 0] < 5
    assert pixels[32, -1, 0] > 250


def test_crop_cuts_the_long_side_evenly() -> None:
    pixels = np.asarray(fit(gradient(200, 100), 50, 50, ResizeMode.CROP)).astype(int)
    assert abs(pixels[25, 0, 0] - 64) <= 3  # a quarter of the width is cut at each side
    assert abs(pixels[25, -1, 0] - 191) <= 3
    assert pixels[0, 25, 1] < 5


@pytest.mark.parametrize(("size", "wanted"), [((200, 100), (64, 71)), ((100, 200), (71, 64))])
def test_fill_repeats_the_edges_without_a_gap(
    size: tuple[int, int], wanted: tuple[int, int]
) -> None:
    tall = np.asarray(fit(gradient(*size), *wanted, ResizeMode.FILL))
    pixels = tall if wanted[1] > wanted[0] else tall.transpose(1, 0, 2)
    border = (71 - 32) // 2
    assert (pixels[:border] == pixels[border]).all()
    assert (pixels[-border:] == pixels[-border - 1]).all()


def test_transparent_parts_become_white() -> None:
    picture = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert fit(picture, 4, 4, ResizeMode.STRETCH).getpixel((0, 0)) == (255, 255, 255)


def test_palette_transparency_becomes_white() -> None:
    picture = Image.new("P", (4, 4), 0)
    picture.putpalette([10, 20, 30])
    picture.info["transparency"] = 0
    assert fit(picture, 4, 4, ResizeMode.STRETCH).getpixel((0, 0)) == (255, 255, 255)


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    picture = Image.fromarray(np.array([[0, 32896, 65535]], dtype=np.uint16))
    fitted = fit(picture, 3, 1, ResizeMode.STRETCH)
    assert [fitted.getpixel((x, 0)) for x in range(3)] == [(v, v, v) for v in (0, 128, 255)]
