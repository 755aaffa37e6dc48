"""Plain resampling of pixels: sharp and free of inventions."""

from __future__ import annotations

from typing import Final

from PIL import Image

from webui.upscalers.upscaler import Upscaler

UPSCALER: Final = (
    Upscaler(id="lanczos", label="Lanczos", filter=Image.Resampling.LANCZOS),
    Upscaler(id="nearest", label="Nearest", filter=Image.Resampling.NEAREST),
)
