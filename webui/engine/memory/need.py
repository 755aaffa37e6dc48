"""How much memory a pass will take beside the weights, told before it begins.

The figures are those of one H100 in float16 (attention that never holds a whole map); what this
machine has seen itself counts more, see `history`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MEBIBYTE: Final = 2**20
BASE: Final = 256 * MEBIBYTE
"""Libraries' workspaces, and what is lost between blocks."""
UNET_ROW: Final = 170 * MEBIBYTE
"""Of one row of a UNet at 1024 x 1024."""
TRANSFORMER_ROW: Final = 420 * MEBIBYTE
"""Of one row of a transformer at 1024 x 1024."""
VAE_WHOLE: Final = 2700 * MEBIBYTE
"""Of decoding 1024 x 1024 at once."""
MEGAPIXEL: Final = 1024 * 1024
CELL: Final = 8
"""Pixels along a side of a cell."""


@dataclass(frozen=True, kw_only=True)
class Need:
    """Of one pass, in float16: the network's steps, and the VAE's turn afterwards."""

    steps_bytes: int
    vae_bytes: int

    @property
    def peak_bytes(self) -> int:
        """The larger of the two: they follow each other."""
        return max(self.steps_bytes, self.vae_bytes)


def need_of(width: int, height: int, rows: int, *, is_unet: bool, tile: int | None = None) -> Need:
    """What a pass of this size needs when so many rows go through the network together. `tile`:
    side of the VAE's tiles in cells."""
    share = width * height / MEGAPIXEL
    row = UNET_ROW if is_unet else TRANSFORMER_ROW
    pixels = width * height if tile is None else min(width * height, (tile * CELL) ** 2)
    return Need(
        steps_bytes=BASE + int(rows * share * row),
        vae_bytes=BASE + int(VAE_WHOLE * pixels / MEGAPIXEL),
    )


def fitting_tile(width: int, height: int, free_bytes: int, tiles: tuple[int, ...]) -> int | None:
    """The largest tile with which the VAE has room in so much memory; None where it needs none.
    The smallest where not even that has room."""
    if need_of(width, height, 1, is_unet=True).vae_bytes <= free_bytes:
        return None
    for tile in tiles:
        if need_of(width, height, 1, is_unet=True, tile=tile).vae_bytes <= free_bytes:
            return tile
    return tiles[-1]
