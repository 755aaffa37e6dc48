"""Fill: what is kept stays, and the hole takes the colours around it."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from webui.imaging.fill import filled
from webui.imaging.masks import gaussian_blur


def hole(size: tuple[int, int], box: tuple[int, int, int, int], blur: float = 0) -> Image.Image:
    mask = Image.new("L", size)
    mask.paste(255, box)
    return gaussian_blur(mask, blur)


def test_outside_the_mask_every_pixel_stays() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    mask = hole((80, 60), (20, 20, 50, 40), blur=3)
    kept = np.asarray(mask) == 0
    assert (np.asarray(filled(Image.fromarray(noise), mask))[kept] == noise[kept]).all()


def test_a_plain_picture_stays_plain_under_any_edge() -> None:
    """Neither the hole's own colour nor the soft edge of the mask darkens it."""
    plain = Image.new("RGB", (120, 90), (40, 200, 90))
    covered = plain.copy()
    covered.paste((255, 0, 255), (50, 35, 70, 55))
    for blur in (0, 6):
        mask = hole(plain.size, (20, 10, 100, 80), blur)
        values = np.asarray(filled(covered, mask), int)
        assert np.abs(values - (40, 200, 90)).max() <= 10  # thin layers round coarsely


def test_each_side_of_the_hole_takes_the_colour_next_to_it() -> None:
    picture = Image.new("RGB", (200, 100), "red")
    picture.paste("blue", (100, 0, 200, 100))
    values = np.asarray(filled(picture, hole(picture.size, (60, 20, 140, 80))), int)
    left, right = values[50, 65], values[50, 135]
    assert left[0] > 180 > 60 > left[2]
    assert right[2] > 180 > 60 > right[0]


def test_the_layers_lie_as_in_a1111() -> None:
    """The widest blur lowest, each over the others by the alpha it has left: written out here in
    float from the premultiplied blurs, for a pixel well inside the hole."""
    noise = np.random.default_rng(1).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    picture, mask = Image.fromarray(noise), hole((90, 90), (30, 30, 60, 60))
    alpha = 255 - np.asarray(mask)
    premultiplied = np.dstack([noise * (alpha[..., None] > 0), alpha]).astype(np.uint8)
    colour = np.full(3, 128.0)
    for radius, times in ((256, 1), (64, 1), (16, 2), (4, 4), (2, 2), (0, 1)):
        layers = Image.fromarray(premultiplied)
        blurred = layers.filter(ImageFilter.GaussianBlur(radius))
        pixel = np.asarray(blurred, np.float64)[45, 36]
        for _ in range(times):
            colour = pixel[:3] + colour * (1 - pixel[3] / 255)
    assert np.abs(np.asarray(filled(picture, mask), np.float64)[45, 36] - colour).max() <= 6


def test_a_mask_over_everything_gives_a_neutral_grey() -> None:
    red = Image.new("RGB", (40, 40), "red")
    assert filled(red, Image.new("L", (40, 40), 255)).getextrema() == ((128, 128),) * 3
