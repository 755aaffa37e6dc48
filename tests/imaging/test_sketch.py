"""Strokes over a picture: what they cover is theirs, all else stays as it was."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from webui.imaging.sketch import sketch_mask, sketched


def source() -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    return Image.fromarray(values)


def stroke(colour: tuple[int, int, int, int], box: tuple[int, int, int, int]) -> Image.Image:
    layer = Image.new("RGBA", (60, 40))
    ImageDraw.Draw(layer).rectangle(box, fill=colour)
    return layer


def test_without_strokes_the_picture_stays_and_nothing_is_masked() -> None:
    assert sketched(source(), []).tobytes() == source().tobytes()
    assert sketch_mask([], (60, 40)).getbbox() is None


def test_later_strokes_lie_on_top_and_the_rest_keeps_its_pixels() -> None:
    layers = [stroke((255, 0, 0, 255), (5, 5, 20, 20)), stroke((0, 0, 255, 255), (15, 15, 30, 30))]
    drawn, mask = sketched(source(), layers), sketch_mask(layers, (60, 40))
    assert drawn.getpixel((10, 10)) == (255, 0, 0)
    assert drawn.getpixel((18, 18)) == (0, 0, 255)
    kept = np.asarray(mask) == 0
    assert (np.asarray(drawn)[kept] == np.asarray(source())[kept]).all()
    assert not kept[10, 10]


def test_a_faint_stroke_is_masked_and_mixed() -> None:
    layer = stroke((255, 255, 255, 51), (0, 0, 59, 39))
    black = Image.new("RGB", (60, 40))
    assert sketched(black, [layer]).getpixel((3, 3)) == (51, 51, 51)
    assert sketch_mask([layer], (60, 40)).getextrema() == (255, 255)


def test_a_layer_of_another_size_is_brought_to_the_pictures() -> None:
    small = stroke((255, 0, 0, 255), (0, 0, 29, 39)).resize((30, 20), Image.Resampling.NEAREST)
    drawn = sketched(Image.new("RGB", (60, 40), "white"), [small])
    assert drawn.getpixel((10, 20)) == (255, 0, 0)
    assert drawn.getpixel((50, 20)) == (255, 255, 255)
    left, _, right, bottom = sketch_mask([small], (60, 40)).getbbox() or (-1, -1, -1, -1)
    assert (left, bottom) == (0, 40)
    assert abs(right - 30) <= 2
