"""Places of masks."""

from __future__ import annotations

from typing import Any

from webui.compat.missing import unprovided
from webui.imaging.fill import filled


def get_crop_region_v2(mask: Any, pad: int = 0) -> tuple[int, int, int, int] | None:
    """The box around what is white in a mask, and so many pixels more; None where nothing is."""
    box = _image(mask).getbbox()
    if box is None:
        return None
    left, top, right, bottom = box
    width, height = _image(mask).size
    if not pad:
        return left, top, right, bottom
    return max(left - pad, 0), max(top - pad, 0), min(right + pad, width), min(bottom + pad, height)


def get_crop_region(mask: Any, pad: int = 0) -> tuple[int, int, int, int]:
    """As `get_crop_region_v2`; where nothing is white, a box without a size, turned inside out."""
    box = get_crop_region_v2(mask, pad)
    if box is not None:
        return box
    width, height = _image(mask).size
    return max(width - pad, 0), max(height - pad, 0), min(pad, width), min(pad, height)


def expand_crop_region(
    crop_region: Any,
    processing_width: int,
    processing_height: int,
    image_width: int,
    image_height: int,
) -> tuple[int, int, int, int]:
    """The box, grown to the shape of what is painted, within the picture."""
    left, top, right, bottom = crop_region
    wanted = processing_width / processing_height
    if (right - left) / max(bottom - top, 1) > wanted:
        top, bottom = _grown(top, bottom, int((right - left) / wanted), image_height)
    else:
        left, right = _grown(left, right, int((bottom - top) * wanted), image_width)
    return left, top, right, bottom


def _grown(start: int, end: int, length: int, whole: int) -> tuple[int, int]:
    """As long as asked for, around the same middle, moved inside and cut at the ends."""
    more = length - (end - start)
    start -= more // 2
    end += more - more // 2
    if end > whole:
        start, end = start - (end - whole), whole
    if start < 0:
        start, end = 0, end - start
    return start, min(end, whole)


def fill(image: Any, mask: Any) -> Any:
    """The picture with the colours around the mask flowing into it."""
    return filled(image.convert("RGB"), mask.convert("L"))


def _image(mask: Any) -> Any:
    from PIL import Image

    return mask if isinstance(mask, Image.Image) else Image.fromarray(mask)


__getattr__ = unprovided(__name__)
