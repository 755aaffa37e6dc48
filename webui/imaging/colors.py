"""Bringing a painted picture's colours to those of its source: A1111's colour correction."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from webui.imaging.lab import from_lab, to_lab

Floats = npt.NDArray[np.float32]

SMALLEST_SAMPLE: Final = 0.02
"""The share of a picture that has to be kept for its colours to stand for the whole."""

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
    ours, theirs = to_lab(painted), to_lab(source)
    sample = _kept(mask, painted.size)
    axes = [_bent(ours[..., axis], theirs[..., axis], sample) for axis in range(3)]
    light = np.divide(np.asarray(painted), 255, dtype=np.float32)
    return _lit(from_lab(np.stack(axes, axis=-1)), light)


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
