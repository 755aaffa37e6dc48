"""Work on a finished picture without painting: it is enlarged, by one or two upscalers."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from PIL import Image

from webui.core.engine import Work
from webui.core.errors import InvalidRequest, UnreadablePicture
from webui.core.events import EngineEvent, Progress
from webui.core.recipe import Recipe
from webui.core.request import Extras
from webui.engine.canvas import Inputs
from webui.engine.upscale import enlarge
from webui.imaging.fit import flatten
from webui.imaging.upload import open_upload

if TYPE_CHECKING:
    from webui.engine.device import Device


def work_on(
    recipe: Recipe, extras: Extras, work: Work, device: Device
) -> Generator[EngineEvent, None, Image.Image]:
    """The worked-on picture, RGB. Raises InvalidRequest."""
    source = open_source(extras, work.inputs)
    size = enlarged_size(source.size, recipe, extras)
    wanted = [extras.upscaler]
    if extras.second_upscaler is not None and extras.second_visibility:
        wanted.append(extras.second_upscaler)
    pictures = []
    for number, upscaler in enumerate(wanted):
        yield Progress(step=number, steps=len(wanted))
        pictures.append((yield from enlarge(source, upscaler, size, work, device)))
    first, *others = pictures
    for other in others:
        first = Image.blend(first, other, extras.second_visibility)
    yield Progress(step=len(wanted), steps=len(wanted))
    return cropped(first, recipe, extras)


def open_source(extras: Extras, inputs: Inputs) -> Image.Image:
    """The picture to work on, upright, RGB. Raises InvalidRequest."""
    try:
        return flatten(open_upload(inputs[extras.image].read_bytes()))
    except (KeyError, OSError, UnreadablePicture) as error:
        raise InvalidRequest(
            "extras.image", "The picture that belongs here can't be read any more. Add it again."
        ) from error


def enlarged_size(size: tuple[int, int], recipe: Recipe, extras: Extras) -> tuple[int, int]:
    """What a picture of this size is enlarged to: by a factor, or so that it covers the size
    asked for, or fits inside it when nothing may be cut off."""
    wanted = (recipe.width, recipe.height)
    if not extras.width or not extras.height:
        return wanted
    factors = [there / here for there, here in zip(wanted, size, strict=True)]
    factor = max(factors) if extras.crop else min(factors)
    width, height = (max(1, round(side * factor)) for side in size)
    return width, height


def cropped(picture: Image.Image, recipe: Recipe, extras: Extras) -> Image.Image:
    """Without what sticks out of the exact size, the same at both sides."""
    if not extras.crop or not extras.width or not extras.height:
        return picture
    left, top = (picture.width - recipe.width) // 2, (picture.height - recipe.height) // 2
    return picture.crop((left, top, left + recipe.width, top + recipe.height))
