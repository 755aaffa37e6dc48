"""How large a second pass is: A1111's arithmetic, so that its pictures come out the same size.

No torch: the fake engine, and whoever shows the size beforehand, need it too.
"""

from __future__ import annotations

from dataclasses import dataclass

from webui.core.request import CELL, Hires


@dataclass(frozen=True, kw_only=True)
class HiresSize:
    """`enlarged_*`: what the first result is enlarged to, in pixels, at least what is kept of it.
    `width`, `height`: the picture of the second pass, whole cells."""

    enlarged_width: int
    enlarged_height: int
    width: int
    height: int

    @property
    def crop(self) -> tuple[int, int]:
        """Cells that are cut off at the left and at the top; the rest at the other sides."""
        return (
            (self.enlarged_width // CELL * CELL - self.width) // CELL // 2,
            (self.enlarged_height // CELL * CELL - self.height) // CELL // 2,
        )


def hires_size(width: int, height: int, hires: Hires) -> HiresSize:
    """The second pass of a picture whose first has this size.

    With a factor each side is multiplied and rounded down. With an exact size the first result is
    enlarged until it covers that size, and what sticks out is cut off in whole cells.
    """
    if hires.width and hires.height:
        return _covering(width, height, hires.width, hires.height)
    wide, high = int(width * hires.scale), int(height * hires.scale)
    return HiresSize(
        enlarged_width=wide,
        enlarged_height=high,
        width=wide // CELL * CELL,
        height=high // CELL * CELL,
    )


def _covering(width: int, height: int, wanted_width: int, wanted_height: int) -> HiresSize:
    if width * wanted_height < height * wanted_width:
        wide, high = wanted_width, wanted_width * height // width
    else:
        wide, high = wanted_height * width // height, wanted_height
    # as A1111 counts, rounding down twice: a part of a cell that sticks out stays
    return HiresSize(
        enlarged_width=wide,
        enlarged_height=high,
        width=(wide // CELL - max(0, wide - wanted_width) // CELL) * CELL,
        height=(high // CELL - max(0, high - wanted_height) // CELL) * CELL,
    )
