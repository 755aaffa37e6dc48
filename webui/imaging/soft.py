"""Which pixels of a softly inpainted picture are new, told by how much they changed."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageFilter

from webui.core.request import SoftInpainting
from webui.imaging.masks import overlay_alpha

NEIGHBOURHOOD: Final = 4
"""Standard deviation in pixels of the blur over differences: single pixels that happen to match
would leave holes in what is new."""
UNIT: Final = 32.0
"""Grey levels that count as a difference of 1; the round trip through a VAE is 0.1 to 0.2."""

Floats = npt.NDArray[np.float64]


def changed_alpha(
    source: Image.Image, painted: Image.Image, mask: Image.Image, soft: SoftInpainting
) -> Image.Image:
    """How much of `painted` shows over `source`, "L"; all three of one size.

    From 0 where little changed to 255 where much did; half at the difference threshold, and the
    steeper around it the higher the contrast. Where the mask is 0 it is 0.
    """
    shown = overlay_alpha(mask)
    share = _share(_difference(source, painted), np.asarray(mask, np.float64) / 255, soft)
    return ImageChops.multiply(shown, Image.fromarray((share * 255).round().astype(np.uint8)))


def _difference(source: Image.Image, painted: Image.Image) -> Floats:
    """Per pixel, in UNITs, as the neighbourhood has it."""
    levels = np.asarray(painted, np.float32) - np.asarray(source, np.float32)
    distance = np.sqrt((levels**2).mean(axis=-1)).round().astype(np.uint8)
    blurred = Image.fromarray(distance).filter(ImageFilter.GaussianBlur(NEIGHBOURHOOD))
    return np.asarray(blurred, np.float64) / UNIT


def _share(difference: Floats, mask: Floats, soft: SoftInpainting) -> Floats:
    """The mask's influence makes differences count less where it is weak."""
    weighted = difference * (1 - soft.mask_influence * (1 - mask))
    if soft.difference_threshold == 0:
        return np.ones_like(weighted)
    largest = np.maximum(weighted, soft.difference_threshold)  # keeps the powers within range
    power = 2 * soft.difference_contrast
    changed = (weighted / largest) ** power
    share: Floats = changed / (changed + (soft.difference_threshold / largest) ** power)
    return share
