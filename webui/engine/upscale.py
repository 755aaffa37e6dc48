"""Brings a finished picture to another size."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from PIL import Image

from webui.core.engine import Work
from webui.core.errors import InvalidRequest
from webui.core.events import Alive
from webui.upscalers import load_upscalers

if TYPE_CHECKING:
    from webui.engine.device import Device


def enlarge(
    picture: Image.Image, upscaler: str, size: tuple[int, int], work: Work, device: Device
) -> Generator[Alive, None, Image.Image]:
    """The picture at exactly this size. Gives signs of life on the way; closing it cancels.

    Raises InvalidRequest when there is no such upscaler.
    """
    yield Alive()
    upscalers = load_upscalers()
    found = upscalers.get(upscaler)
    if found is None or found.filter is None:
        names = ", ".join(each.id for each in upscalers if not each.is_latent)
        raise InvalidRequest(
            "hires.upscaler", f"There is no upscaler “{upscaler}”. Choose one of: {names}."
        )
    return picture.resize(size, found.filter)
