"""Strokes drawn over a picture: the picture with them, and where they lie."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from webui.imaging.fit import flatten


def sketched(source: Image.Image, layers: Sequence[Image.Image]) -> Image.Image:
    """The source as RGB with the layers laid over it, the first lowest.

    Layers are transparent where nothing was drawn; one of another size is brought to the source's.
    """
    picture = flatten(source).convert("RGBA")
    for layer in layers:
        picture.alpha_composite(_at_size(layer, source.size))
    return picture.convert("RGB")


def sketch_mask(layers: Sequence[Image.Image], size: tuple[int, int]) -> Image.Image:
    """An "L" mask of `size`: white wherever a stroke changes the picture, however faint."""
    painted = np.zeros((size[1], size[0]), dtype=np.bool_)
    for layer in layers:
        painted |= np.asarray(_at_size(layer, size).getchannel("A")) > 0
    return Image.fromarray(np.where(painted, 255, 0).astype(np.uint8))


def _at_size(layer: Image.Image, size: tuple[int, int]) -> Image.Image:
    drawn = layer.convert("RGBA")
    if drawn.size == size:
        return drawn
    # premultiplied, so that the colour of what is transparent does not bleed into the edges
    scaled = drawn.convert("RGBa").resize(size, Image.Resampling.BILINEAR)
    return scaled.convert("RGBA")
