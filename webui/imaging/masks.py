"""Where to repaint: mask preparation, the crop around a mask, and pasting the result back.

A mask is an "L" picture, white where to repaint. What a paste leaves alone stays bit-identical.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops

from webui.core.errors import InvalidRequest
from webui.core.request import ResizeMode
from webui.imaging.fit import flatten, reshape

FIELD: Final = "mask.image"
_ROWS_AT_ONCE: Final = 256  # keeps a blur of a 64 MP mask below about 100 MiB

Floats = npt.NDArray[np.float32]


class Box(NamedTuple):
    """A part of a picture in pixels; `right` and `bottom` lie just outside it."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return self.bottom - self.top


def prepare_mask(mask: Image.Image, inverted: bool, blur: float) -> Image.Image:
    """The mask as "L" in its own size: told from alpha or brightness, inverted, then blurred.

    `blur` is the standard deviation in pixels. Raises InvalidRequest when nothing is masked.
    """
    plain = _from_alpha(mask) if _has_alpha(mask) else flatten(mask).convert("L")
    if inverted:
        plain = ImageChops.invert(plain)
    if plain.getbbox() is None:
        raise InvalidRequest(FIELD, "The mask is empty. Paint over the part to be made anew.")
    blurred = gaussian_blur(plain, blur)
    if blurred.getbbox() is None:
        raise InvalidRequest(
            FIELD,
            f"The masked part is so small that a mask blur of {blur:g} dissolves it. "
            "Paint a larger part or lower the blur.",
        )
    return blurred


def gaussian_blur(mask: Image.Image, sigma: float) -> Image.Image:
    """An "L" picture blurred by a true Gaussian, cut off at 2.5 sigma, mirrored at the borders."""
    if sigma <= 0:
        return mask.copy()
    radius = int(2.5 * sigma + 0.5)
    distance = np.arange(-radius, radius + 1, dtype=np.float64)
    kernel = np.exp(-(distance**2) / (2 * sigma**2))
    kernel /= kernel.sum()
    rows = _blur_rows(np.asarray(mask), kernel.astype(np.float32))
    columns = _blur_rows(np.ascontiguousarray(rows.T), kernel.astype(np.float32))
    return Image.fromarray(np.ascontiguousarray(columns.T))


def fit_mask(mask: Image.Image, width: int, height: int, mode: ResizeMode) -> Image.Image:
    """The mask at the size of the picture, so that it still lies on the same things as before.

    With LATENT it is stretched, as the latent is.
    """
    stretched = ResizeMode.STRETCH if mode is ResizeMode.LATENT else mode
    return reshape(mask, width, height, stretched)


def overlay_alpha(mask: Image.Image) -> Image.Image:
    """How much of the painted picture shows when the whole picture was worked on: clip(2 * mask),
    so that the blur's fringe is covered by new paint and only its outer half blends."""
    return mask.point([min(2 * value, 255) for value in range(256)])


def latent_mask(
    mask: Image.Image, latent_width: int, latent_height: int, is_soft: bool = False
) -> Floats:
    """Which latent cells are made anew: float32 (H/8, W/8), each 0 or 1; soft ones between."""
    small = mask.resize((latent_width, latent_height), Image.Resampling.BICUBIC)
    cells: Floats = np.asarray(small, dtype=np.float32) / np.float32(255)
    return cells if is_soft else np.around(cells)


def masked_area(mask: Image.Image, width: int, height: int, padding: int) -> Box:
    """The part of the picture to work on at full size: the masked part, `padding` pixels around
    it, widened to the shape `width` : `height` as far as the picture allows.

    Raises InvalidRequest when nothing is masked.
    """
    bounds = mask.getbbox()
    if bounds is None:
        raise InvalidRequest(FIELD, "The mask is empty. Paint over the part to be made anew.")
    left, top = max(bounds[0] - padding, 0), max(bounds[1] - padding, 0)
    right, bottom = min(bounds[2] + padding, mask.width), min(bounds[3] + padding, mask.height)
    if (right - left) * height > (bottom - top) * width:
        wanted = (right - left) * height // width
        top, bottom = _widen(top, bottom, wanted, mask.height)
    else:
        wanted = (bottom - top) * width // height
        left, right = _widen(left, right, wanted, mask.width)
    return Box(left, top, right, bottom)


def paste_back(source: Image.Image, painted: Image.Image, alpha: Image.Image) -> Image.Image:
    """`painted` over `source`; where `alpha` is 0, the source's own pixels. All of one size."""
    return Image.composite(painted, source, alpha)


def paste_crop(
    source: Image.Image, painted: Image.Image, alpha: Image.Image, box: Box
) -> Image.Image:
    """`painted` brought to the size of `box` and laid over that part of `source`.

    `alpha` has the size of `source`; where it is 0 and outside the box the source is untouched.
    """
    part = reshape(painted, box.width, box.height, ResizeMode.CROP)
    return paste_part(source, part, alpha.crop(box), box)


def paste_part(source: Image.Image, part: Image.Image, alpha: Image.Image, box: Box) -> Image.Image:
    """`part` over what `box` covers of `source`; it and `alpha` have the size of the box."""
    whole = source.copy()
    whole.paste(part, (box.left, box.top), alpha)
    return whole


def _has_alpha(mask: Image.Image) -> bool:
    """A mask drawn in the alpha channel; an alpha that is 255 everywhere says nothing."""
    if not mask.has_transparency_data:
        return False
    return mask.convert("RGBA").getchannel("A").getextrema() != (255, 255)


def _from_alpha(mask: Image.Image) -> Image.Image:
    alpha = mask.convert("RGBA").getchannel("A")
    return alpha.point([255 if value > 128 else 0 for value in range(256)])


def _blur_rows(pixels: npt.NDArray[np.uint8], kernel: Floats) -> npt.NDArray[np.uint8]:
    """By FFT: its cost does not grow with sigma (2048x2048 and sigma 64: 0.3 s, not 4 s)."""
    radius, width = len(kernel) // 2, pixels.shape[1]
    length = width + 4 * radius
    transform = np.fft.rfft(kernel, length)
    blurred = np.empty_like(pixels)
    for start in range(0, len(pixels), _ROWS_AT_ONCE):
        rows = pixels[start : start + _ROWS_AT_ONCE].astype(np.float32)
        padded = np.pad(rows, ((0, 0), (radius, radius)), mode="reflect")
        spread = np.fft.irfft(np.fft.rfft(padded, length, axis=1) * transform, length, axis=1)
        kept = spread[:, 2 * radius : 2 * radius + width]
        blurred[start : start + len(rows)] = kept.round().clip(0, 255).astype(np.uint8)
    return blurred


def _widen(low: int, high: int, wanted: int, limit: int) -> tuple[int, int]:
    """`low`..`high` grown to `wanted` on both sides, moved inside 0..`limit`, then clipped."""
    low -= (wanted - (high - low)) // 2
    low = max(0, min(low, limit - wanted))
    return low, min(low + wanted, limit)
