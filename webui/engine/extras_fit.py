"""How a finished picture is opened, how large it gets and what is cut off. No torch: the fake
engine needs it too."""

from __future__ import annotations

from PIL import Image

from webui.core.errors import InvalidRequest, UnreadablePicture
from webui.core.recipe import Recipe
from webui.core.request import Extras
from webui.engine.canvas import Inputs
from webui.imaging.fit import flatten
from webui.imaging.upload import open_upload


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
