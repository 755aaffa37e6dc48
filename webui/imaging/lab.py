"""Between sRGB and CIE L*a*b* (D65), where distances are about as large as they look."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

Floats = npt.NDArray[np.float32]

_WHITE: Final = (0.95047, 1.0, 1.08883)  # D65
_TO_XYZ: Final = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_EDGE: Final = 6 / 29  # below it Lab's root becomes a line


def to_lab(picture: Image.Image) -> Floats:
    """(H, W, 3): 0..100 and about -128..127."""
    encoded = np.asarray(picture, dtype=np.float32) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    ratio = linear @ np.array(_TO_XYZ, np.float32).T / np.array(_WHITE, np.float32)
    root = np.where(ratio > _EDGE**3, np.cbrt(ratio), ratio / (3 * _EDGE**2) + 4 / 29)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def from_lab(lab: Floats) -> Floats:
    """(H, W, 3), about 0..1; colours that sRGB lacks lie outside."""
    y = (lab[..., 0] + 16) / 116
    root = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    ratio = np.where(root > _EDGE, root**3, 3 * _EDGE**2 * (root - 4 / 29))
    linear = (ratio * np.array(_WHITE, np.float32)) @ np.linalg.inv(_TO_XYZ).T.astype(np.float32)
    bright = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    encoded: Floats = np.where(linear <= 0.0031308, linear * 12.92, bright)
    return encoded.astype(np.float32)
