"""PixArt alpha for 512 pixels: as sigma, but it reads less at once."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from webui.engine.architectures import pixart

WINDOW: Final = 120

ARCHITECTURE = replace(
    pixart.ARCHITECTURE,
    id="pixart_alpha_512",
    make_encoder=partial(pixart.PixArtText, window=WINDOW),
)
