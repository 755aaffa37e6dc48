"""Colours from around a hole, laid into it: what "fill" puts under a mask before painting."""

from __future__ import annotations

from typing import Final

from PIL import Image, ImageChops, ImageFilter

NEUTRAL: Final = (128, 128, 128)
"""What is seen where nothing is left to take colours from."""
BLURS: Final = ((256, 1), (64, 1), (16, 2), (4, 4), (2, 2), (0, 1))
"""Radius in pixels and how often it is laid on, the widest lowest: A1111's."""


def filled(picture: Image.Image, mask: Image.Image) -> Image.Image:
    """An RGB picture whose masked part shows its surroundings, blurred wider the further in.

    `mask` is "L" of the picture's size; where it is 0 the pixels stay as they are.
    """
    kept = picture.convert("RGBA")
    kept.putalpha(ImageChops.invert(mask))
    # premultiplied: the holes' own colour takes no part in the blur
    kept = kept.convert("RGBa")
    result = Image.new("RGBA", picture.size, (*NEUTRAL, 255))
    for radius, times in BLURS:
        blurred = kept.filter(ImageFilter.GaussianBlur(radius)).convert("RGBA")
        for _ in range(times):
            result.alpha_composite(blurred)
    whole = result.convert("RGB")
    whole.paste(picture, mask=mask.point([255] + [0] * 255))
    return whole
