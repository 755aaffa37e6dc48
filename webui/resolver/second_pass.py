"""How large a second pass is asked to be, before the engine enlarges."""

from __future__ import annotations

from dataclasses import replace

from webui.core.errors import InvalidRequest
from webui.core.request import CELL, LARGEST_SIDE, SMALLEST_SIDE, Hires


def with_both_sides(hires: Hires, size: tuple[int, int]) -> Hires:
    """An exact size of which one side is given gets the other from the first pass's shape, as in
    A1111. Raises InvalidRequest when that side is out of range."""
    width, height = size
    if hires.width and not hires.height:
        return replace(hires, height=_side("hires.width", hires.width * height // width))
    if hires.height and not hires.width:
        return replace(hires, width=_side("hires.height", hires.height * width // height))
    return hires


def _side(field: str, side: int) -> int:
    if not SMALLEST_SIDE <= side <= LARGEST_SIDE:
        raise InvalidRequest(
            field,
            f"With this side, the other one of the second pass would be {side}. "
            f"Choose one that keeps both between {SMALLEST_SIDE} and {LARGEST_SIDE}.",
        )
    return side // CELL * CELL
