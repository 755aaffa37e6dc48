"""Enlarges a picture part by part, so that memory has to hold one part only. No seams show.

Neighbours overlap. Near the edge of a part the network knows nothing of what is beyond, so the
outermost pixels are dropped and the next ones fade into the neighbour's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor

OVERLAP: Final = 32
"""Pixels of the picture that neighbours share at least."""
DROPPED: Final = 8
"""Of these, those at either end that count nothing."""
SMALLEST_TILE: Final = 64

Enlarge = Callable[[Tensor], Tensor]
"""(1, 3, h, w) -> (1, 3, h * scale, w * scale), float32, 0..1."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """Part of a side, in pixels. `shared` of them are the previous part's, too."""

    start: int
    length: int
    shared: int

    @property
    def end(self) -> int:
        """The first pixel behind it."""
        return self.start + self.length


def spans(side: int, tile: int) -> Sequence[Span]:
    """Parts of equal length, none longer than `tile`, that cover a side."""
    if side <= tile:
        return (Span(start=0, length=side, shared=0),)
    count = -(-(side - OVERLAP) // (tile - OVERLAP))
    length = min(tile, -(-(side + (count - 1) * OVERLAP) // count))
    starts = [round(index * (side - length) / (count - 1)) for index in range(count)]
    shared = [0, *(before + length - start for before, start in pairwise(starts))]
    return tuple(
        Span(start=start, length=length, shared=common)
        for start, common in zip(starts, shared, strict=True)
    )


def tile_count(width: int, height: int, tile: int) -> int:
    """How many parts a picture has."""
    return len(spans(width, tile)) * len(spans(height, tile))


def enlarge_tiles(picture: Tensor, canvas: Tensor, enlarge: Enlarge, tile: int) -> Iterator[None]:
    """Fill the canvas with the picture enlarged, one part at each step.

    `picture`: uint8, (3, h, w). `canvas`: uint8, (3, h * scale, w * scale).
    """
    _, height, width = picture.shape
    scale = canvas.shape[1] // height
    for row in spans(height, tile):
        strip = torch.zeros((3, row.length * scale, width * scale), dtype=torch.uint8)
        # a whole strip fades into the one above: parts by themselves would leave their dropped
        # pixels in the corners
        for column in spans(width, tile):
            part = picture[:, row.start : row.end, column.start : column.end]
            larger = enlarge(part[None].float() / 255)[0].cpu() * 255
            place = strip[:, :, column.start * scale : column.end * scale]
            _mix(place, larger, _fade(column, scale))
            if column.end == width:
                place = canvas[:, row.start * scale : row.end * scale]
                _mix(place, strip.float(), _fade(row, scale)[:, None])
            yield


def _mix(place: Tensor, new: Tensor, weight: Tensor) -> None:
    """Let pixels count by their weight beside those that are there."""
    place.copy_(torch.lerp(place.float(), new, weight).round_().clamp_(0, 255))


def _fade(span: Span, scale: int) -> Tensor:
    """How much a part counts beside what is there before it, along one side, 0..1."""
    weight = torch.ones(span.length * scale)
    if span.shared:
        fading = (span.shared - 2 * DROPPED) * scale
        weight[: DROPPED * scale] = 0
        ramp = (torch.arange(fading) + 0.5) / fading
        weight[DROPPED * scale : DROPPED * scale + fading] = ramp
    return weight
