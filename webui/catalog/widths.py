"""Which family a network or an adapter was made for, by how wide the text is that it listens to."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

FAMILY_OF_WIDTH: Final[Mapping[int, str]] = MappingProxyType(
    {768: "sd15", 1024: "sd2", 1280: "sdxl", 2048: "sdxl"}
)
"""How wide the text is that a family's UNet listens to, or one of its text encoders."""
FAMILY_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "sd15": "SD 1.5",
        "sd2": "SD 2",
        "sdxl": "SDXL",
        "sdxl_refiner": "SDXL refiner",
        "sd3": "SD 3",
        "flux": "Flux.1",
        "flux2": "Flux.2",
        "chroma": "Chroma",
        "qwen": "Qwen-Image",
        "zimage": "Z-Image",
        "lumina2": "Lumina 2",
        "pixart": "PixArt",
        "sana": "Sana",
    }
)
"""Short names of families, also of those of which no checkpoint can be used here."""
