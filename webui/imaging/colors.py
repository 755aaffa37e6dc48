"""Bringing a painted picture's colours to those of its source: A1111's colour correction."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

Floats = npt.NDArray[np.float32]

SMALLEST_SAMPLE: Final = 0.02
"""The share of a picture that has to be kept for its colours to stand for the whole."""

_WHITE: Final = (0.95047, 1.0, 1.08883)  # D65
_TO_XYZ: Final = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_EDGE: Final = 6 / 29  # below it Lab's root becomes a line
_LUMA: Final = (0.3, 0.59, 0.11)  # the weights of W3C's "luminosity" blend
_STEP: Final = 0.02  # of Lab: finer than 8-bit colours are apart


def corrected(
    painted: Image.Image, source: Image.Image, mask: Image.Image | None = None
) -> Image.Image:
    """`painted` with the hues and the saturation of `source` and its own light and dark.

    In CIE Lab each axis is bent so that its values are spread as the source's are. All RGB and of
    one size. With a mask ("L", white is new) the spread is that of the kept part, which both
    pictures show: what was painted has its own colours and only loses the drift.
    """
    ours, theirs = _lab(painted), _lab(source)
    sample = _kept(mask, painted.size)
    axes = [_bent(ours[..., axis], theirs[..., axis], sample) for axis in range(3)]
    light = np.divide(np.asarray(painted), 255, dtype=np.float32)
    return _lit(_rgb(np.stack(axes, axis=-1)), light)


def _kept(mask: Image.Image | None, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    whole = np.ones((size[1], size[0]), dtype=np.bool_)
    if mask is None:
        return whole
    kept = np.asarray(mask) == 0
    return kept if kept.mean() >= SMALLEST_SAMPLE else whole


def _bent(ours: Floats, theirs: Floats, sample: npt.NDArray[np.bool_]) -> Floats:
    """`ours` through the curve that gives its sample the spread of theirs."""
    values, shares = _shares(ours[sample])
    wanted, their_shares = _shares(theirs[sample])
    targets = np.interp(shares, their_shares, wanted)
    # what lies outside the sample's range is shifted as its nearest end is
    bent = np.interp(ours, values, targets).astype(np.float32)
    shifted: Floats = bent + np.minimum(ours - values[0], 0) + np.maximum(ours - values[-1], 0)
    return shifted


def _shares(sample: Floats) -> tuple[Floats, Floats]:
    """The values of a sample in steps, and the share of it that lies below the middle of each."""
    steps = np.round(sample / _STEP).astype(np.int64)
    lowest = int(steps.min())
    counts = np.bincount(steps - lowest)
    (found,) = np.nonzero(counts)
    counts = counts[found]
    below = (np.cumsum(counts) - 0.5 * counts) / counts.sum()
    return ((found + lowest) * _STEP).astype(np.float32), below.astype(np.float32)


def _lit(colours: Floats, light: Floats) -> Image.Image:
    """`colours` with the luminosity of `light`, both 0..1: W3C's blend of that name."""
    moved = colours + ((light - colours) @ np.array(_LUMA, np.float32))[..., None]
    luma = (moved @ np.array(_LUMA, np.float32))[..., None]
    low, high = moved.min(axis=-1, keepdims=True), moved.max(axis=-1, keepdims=True)
    # colours that no longer fit are drawn towards their own grey
    too_low, too_high = luma - np.minimum(low, 0), np.maximum(high, 1) - luma
    squeeze = np.minimum(
        np.where(low < 0, luma / np.maximum(too_low, 1e-9), 1),
        np.where(high > 1, (1 - luma) / np.maximum(too_high, 1e-9), 1),
    )
    fitted = luma + (moved - luma) * squeeze
    return Image.fromarray((fitted.clip(0, 1) * 255).round().astype(np.uint8))


def _lab(picture: Image.Image) -> Floats:
    """(H, W, 3): 0..100 and about -128..127."""
    encoded = np.asarray(picture, dtype=np.float32) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    ratio = linear @ np.array(_TO_XYZ, np.float32).T / np.array(_WHITE, np.float32)
    root = np.where(ratio > _EDGE**3, np.cbrt(ratio), ratio / (3 * _EDGE**2) + 4 / 29)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def _rgb(lab: Floats) -> Floats:
    """(H, W, 3), about 0..1; colours that sRGB lacks lie outside."""
    y = (lab[..., 0] + 16) / 116
    root = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    ratio = np.where(root > _EDGE, root**3, 3 * _EDGE**2 * (root - 4 / 29))
    linear = (ratio * np.array(_WHITE, np.float32)) @ np.linalg.inv(_TO_XYZ).T.astype(np.float32)
    bright = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    encoded: Floats = np.where(linear <= 0.0031308, linear * 12.92, bright)
    return encoded.astype(np.float32)
