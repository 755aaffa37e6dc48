"""Bringing a picture to the size asked for, in the four ways that A1111 offers."""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import Image

from webui.core.request import ResizeMode

BACKGROUND: Final = (255, 255, 255)
"""What shows through where a source picture is transparent, as in A1111."""


def fit(image: Image.Image, width: int, height: int, mode: ResizeMode) -> Image.Image:
    """The picture as RGB, `width` x `height`.

    STRETCH changes its shape, CROP cuts what sticks out, FILL repeats its edges. LATENT gives the
    picture in its own size: the engine resizes the latent instead.
    """
    return reshape(flatten(image), width, height, mode)


def flatten(image: Image.Image) -> Image.Image:
    """The picture as 8-bit RGB, on white where it is transparent."""
    if image.mode.startswith(("I", "F")):
        return _to_8_bits(image).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    with_alpha = image.convert("RGBA")
    flat = Image.new("RGB", image.size, BACKGROUND)
    flat.paste(with_alpha, mask=with_alpha.getchannel("A"))
    return flat


def reshape(image: Image.Image, width: int, height: int, mode: ResizeMode) -> Image.Image:
    """As `fit`, but for a picture that is already RGB or "L", and keeps that."""
    match mode:
        case ResizeMode.LATENT:
            return image
        case ResizeMode.STRETCH:
            return _resize(image, width, height)
        case ResizeMode.CROP:
            return _crop(image, width, height)
        case ResizeMode.FILL:
            return _fill(image, width, height)


def _crop(image: Image.Image, width: int, height: int) -> Image.Image:
    if width * image.height > height * image.width:
        scaled = _resize(image, width, image.height * width // image.width)
    else:
        scaled = _resize(image, image.width * height // image.height, height)
    left, top = scaled.width // 2 - width // 2, scaled.height // 2 - height // 2
    return scaled.crop((left, top, left + width, top + height))


def _fill(image: Image.Image, width: int, height: int) -> Image.Image:
    if width * image.height < height * image.width:
        scaled = _resize(image, width, max(1, image.height * width // image.width))
    else:
        scaled = _resize(image, max(1, image.width * height // image.height), height)
    left, top = width // 2 - scaled.width // 2, height // 2 - scaled.height // 2
    right, bottom = width - scaled.width - left, height - scaled.height - top
    sides = [(top, bottom), (left, right), (0, 0)]
    pixels = np.asarray(scaled)
    return Image.fromarray(np.pad(pixels, sides[: pixels.ndim], mode="edge"))


def _resize(image: Image.Image, width: int, height: int) -> Image.Image:
    if image.size == (width, height):
        return image.copy()
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Pillow's own conversion clips these modes at 255 instead of scaling them."""
    values = np.asarray(image).astype(np.float32) / (1 if image.mode == "F" else 257)
    return Image.fromarray(values.clip(0, 255).round().astype(np.uint8))
