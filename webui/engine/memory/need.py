"""How much memory a network's steps will take beside the weights, told before they begin.

The figures are those of one H100 in float16 (attention that never holds a whole map); what this
machine has seen itself counts more, see `history`. What a VAE takes is told by
`webui.engine.autoencoder.decode_bytes`.
"""

from __future__ import annotations

from typing import Final

MEBIBYTE: Final = 2**20
BASE: Final = 256 * MEBIBYTE
"""Libraries' workspaces, and what is lost between blocks."""
UNET_ROW: Final = 170 * MEBIBYTE
"""Of one row of a UNet at 1024 x 1024."""
TRANSFORMER_ROW: Final = 420 * MEBIBYTE
"""Of one row of a transformer at 1024 x 1024."""
MEGAPIXEL: Final = 1024 * 1024


def steps_bytes(width: int, height: int, rows: int, *, is_unet: bool) -> int:
    """What a pass of this size needs when so many rows go through the network together."""
    row = UNET_ROW if is_unet else TRANSFORMER_ROW
    return BASE + int(rows * row * width * height / MEGAPIXEL)
