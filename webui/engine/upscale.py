"""Brings a finished picture to another size."""

from __future__ import annotations

from collections.abc import Generator
from types import MappingProxyType
from typing import Final

from PIL import Image

from webui.core.engine import Work
from webui.core.errors import InvalidRequest
from webui.core.events import Alive
from webui.engine.device import Device

FILTERS: Final = MappingProxyType(
    {"lanczos": Image.Resampling.LANCZOS, "nearest": Image.Resampling.NEAREST}
)


def enlarge(
    picture: Image.Image, upscaler: str, size: tuple[int, int], work: Work, device: Device
) -> Generator[Alive, None, Image.Image]:
    """The picture at exactly this size. Gives signs of life on the way; closing it cancels.

    Raises InvalidRequest when there is no such upscaler.
    """
    yield Alive()
    if upscaler not in FILTERS:
        raise InvalidRequest(
            "hires.upscaler",
            f"There is no upscaler “{upscaler}”. Choose one of: {', '.join(FILTERS)}.",
        )
    return picture.resize(size, FILTERS[upscaler])
