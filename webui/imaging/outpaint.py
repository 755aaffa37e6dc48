"""New picture around a source: how large the whole gets, where the source lies in it, and which
part is new. The source's own pixels stay as they are, but for the overlap along the new part.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from webui.core.errors import InvalidRequest
from webui.core.request import CELL, LARGEST_SIDE, SMALLEST_SIDE, Outpaint


def result_size(source_size: tuple[int, int], outpaint: Outpaint) -> tuple[int, int]:
    """The size of the finished picture: the source's and the amounts, exactly."""
    width, height = source_size
    return width + outpaint.left + outpaint.right, height + outpaint.top + outpaint.bottom


def outpaint_size(source_size: tuple[int, int], outpaint: Outpaint) -> tuple[int, int]:
    """The size that is painted, a recipe's width and height: `result_size` in whole cells of 8,
    rounded up. What is too much is cut off when the picture is finished.

    Raises InvalidRequest when no side gets new pixels, or the whole gets too large.
    """
    width, height = result_size(source_size, outpaint)
    if (width, height) == source_size:
        raise InvalidRequest(
            "outpaint", "Outpainting needs pixels to add: all four sides are at 0. Raise one."
        )
    if max(width, height) > LARGEST_SIDE:
        raise InvalidRequest(
            "outpaint",
            f"The picture would get {width}×{height} pixels; a side may have {LARGEST_SIDE}. "
            "Add fewer pixels, or make the source smaller first.",
        )
    return _whole_cells(width), _whole_cells(height)


def place_of(
    painted_size: tuple[int, int], source_size: tuple[int, int], outpaint: Outpaint
) -> tuple[int, int]:
    """Where the source's left upper corner lies in what is painted.

    What rounding adds lies at a side that is new anyway, else at the right and the bottom.
    """
    width, height = result_size(source_size, outpaint)
    return (
        outpaint.left + _spare(painted_size[0] - width, outpaint.left, outpaint.right),
        outpaint.top + _spare(painted_size[1] - height, outpaint.top, outpaint.bottom),
    )


def extended(
    source: Image.Image, painted_size: tuple[int, int], place: tuple[int, int]
) -> Image.Image:
    """The source at its place, its edges repeated around it."""
    right = painted_size[0] - place[0] - source.width
    bottom = painted_size[1] - place[1] - source.height
    sides = ((place[1], bottom), (place[0], right), (0, 0))
    return Image.fromarray(np.pad(np.asarray(source), sides, mode="edge"))


def outpaint_mask(
    painted_size: tuple[int, int], source_size: tuple[int, int], outpaint: Outpaint
) -> Image.Image:
    """An "L" mask of what is painted: white on the new part, falling to 0 over `overlap` pixels
    of the source along each side that was extended, 0 on the rest."""
    across, down = place_of(painted_size, source_size, outpaint)
    overlap = outpaint.overlap
    columns = _kept(
        painted_size[0],
        Span(across, source_size[0]),
        (overlap if outpaint.left else 0, overlap if outpaint.right else 0),
    )
    rows = _kept(
        painted_size[1],
        Span(down, source_size[1]),
        (overlap if outpaint.top else 0, overlap if outpaint.bottom else 0),
    )
    kept = np.minimum(rows[:, None], columns[None, :])
    return Image.fromarray(np.floor(255 * (1 - kept)).astype(np.uint8))


class Span(NamedTuple):
    """Where the source lies along one axis, in pixels."""

    start: int
    length: int


def _kept(total: int, source: Span, overlaps: tuple[int, int]) -> npt.NDArray[np.float64]:
    """How much of each of `total` pixels along an axis is kept: 0 outside the source, 1 further
    in than the overlap at either end."""
    place = np.arange(total) - source.start + 0.5
    kept = ((place > 0) & (place < source.length)).astype(np.float64)
    for distance, overlap in zip((place, source.length - place), overlaps, strict=True):
        if overlap:
            kept *= np.clip(distance / overlap, 0, 1)
    return kept


def _whole_cells(pixels: int) -> int:
    return max(SMALLEST_SIDE, -(-pixels // CELL) * CELL)


def _spare(spare: int, before: int, after: int) -> int:
    """The part of the pixels that rounding adds which lies before the source."""
    return spare if before and not after else 0
