"""Colour correction: drift goes, light and dark stay, what is right is left alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from webui.imaging.colors import corrected
from webui.imaging.lab import from_lab, to_lab

Floats = npt.NDArray[np.float64]


def scene() -> Image.Image:
    """Soft colours with a few shapes, none at the ends of the range."""
    y, x = np.mgrid[0:64, 0:96] / 96
    values = np.stack([60 + 100 * x, 90 + 90 * y, 160 - 70 * x], axis=-1)
    picture = Image.fromarray(values.astype(np.uint8))
    ImageDraw.Draw(picture).ellipse((10, 10, 40, 40), fill=(190, 80, 70))
    return picture


def values(picture: Image.Image) -> Floats:
    return np.asarray(picture, dtype=np.float64)


def drifted(picture: Image.Image) -> Image.Image:
    """Warmer and less saturated, as a picture that went through a VAE a few times."""
    plain = values(picture)
    grey = plain.mean(axis=-1, keepdims=True)
    return Image.fromarray((grey + 0.8 * (plain - grey) + (6, 0, -6)).round().astype(np.uint8))


def chroma_error(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(to_lab(one)[..., 1:] - to_lab(other)[..., 1:]).mean())


@pytest.mark.parametrize(
    ("colour", "lab"),
    [
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
    ],
)
def test_lab_is_that_of_the_cie(
    colour: tuple[int, int, int], lab: tuple[float, float, float]
) -> None:
    """The figures are Lindbloom's for sRGB and D65."""
    assert to_lab(Image.new("RGB", (1, 1), colour))[0, 0] == pytest.approx(lab, abs=0.01)


def test_every_colour_comes_back_from_lab() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    again = from_lab(to_lab(Image.fromarray(colours))) * 255
    assert np.abs(again - colours).max() < 0.01


def test_colours_that_are_right_stay() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    for picture in (scene(), Image.fromarray(noise)):
        assert corrected(picture, picture).tobytes() == picture.tobytes()


def test_drift_goes() -> None:
    before = chroma_error(drifted(scene()), scene())
    assert chroma_error(corrected(drifted(scene()), scene()), scene()) < before / 5


def test_light_and_dark_stay_the_painted_ones() -> None:
    painted = drifted(scene()).point([value * 2 // 3 + 40 for value in range(256)] * 3)
    luma = np.array((0.3, 0.59, 0.11))
    change = values(corrected(painted, scene())) @ luma - values(painted) @ luma
    assert np.abs(change).max() < 1


def test_with_a_mask_what_was_painted_keeps_its_own_colours() -> None:
    """A blue ball where nothing was blue: it may lose the drift but not turn into its source."""
    source, mask = scene(), Image.new("L", (96, 64))
    mask.paste(255, (50, 20, 80, 50))
    new = source.copy()
    ImageDraw.Draw(new).rectangle((50, 20, 79, 49), fill=(40, 60, 220))
    result = corrected(drifted(new), source, mask)
    kept = np.asarray(mask) == 0
    error = np.abs(to_lab(result)[..., 1:] - to_lab(source)[..., 1:])[kept].mean()
    assert error < chroma_error(drifted(source), source) / 5
    blue = values(result)[~kept].mean(axis=0)
    assert blue == pytest.approx((40, 60, 220), abs=30)
    assert np.abs(to_lab(result) - to_lab(new))[~kept][:, 1:].mean() < (
        np.abs(to_lab(drifted(new)) - to_lab(new))[~kept][:, 1:].mean()
    )


def test_a_mask_over_everything_leaves_the_whole_source_to_go_by() -> None:
    everything = Image.new("L", (96, 64), 255)
    with_mask = corrected(drifted(scene()), scene(), everything)
    assert with_mask.tobytes() == corrected(drifted(scene()), scene()).tobytes()


@settings(max_examples=40)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 255), st.integers(0, 2**32))
def test_any_two_pictures_give_a_picture(width: int, height: int, level: int, seed: int) -> None:
    """One of a single pixel or colour, black or white, included."""
    plain = Image.new("RGB", (width, height), (level, level, level))
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    for one, other in ((plain, Image.fromarray(noise)), (Image.fromarray(noise), plain)):
        assert corrected(one, other, Image.new("L", one.size)).size == (width, height)
