"""The pictures of a request: whether they are there, and the size that follows from them."""

from __future__ import annotations

from typing import Final

from PIL import Image

from webui.core.errors import InvalidRequest, NotFound
from webui.core.model import Defaults
from webui.core.recipe import PromptPair, Recipe
from webui.core.request import (
    CELL,
    LARGEST_RESULT,
    LARGEST_SIDE,
    LONGEST_PROMPT,
    SMALLEST_SIDE,
    Extras,
    GenerationRequest,
    InputId,
)
from webui.extend.legacy import pictures_in
from webui.gallery.inputs import InputStore
from webui.imaging.infotext import read_infotext
from webui.imaging.masks import prepare_mask
from webui.imaging.outpaint import outpaint_size
from webui.imaging.picture_text import read_picture_text

PICTURE_GONE: Final = "The picture that belongs here is not on this server any more. Add it again."


class Pictures:
    """Checks and measures the pictures of requests."""

    def __init__(self, inputs: InputStore) -> None:
        self._inputs: Final = inputs

    def check(self, request: GenerationRequest) -> None:
        """Raises InvalidRequest for a picture that is missing, or a mask that masks nothing."""
        if request.extras is not None:
            self._open("extras.image", request.extras.image)
            return
        if request.source is not None:
            self._open("source.image", request.source.image)
        elif request.mask is not None or request.outpaint is not None:
            part = "a mask" if request.mask is not None else "an outpainting"
            raise InvalidRequest("source.image", f"There is {part} but no picture. Add a picture.")
        if (mask := request.mask) is not None:
            picture = self._open("mask.image", mask.image)
            if prepare_mask(picture, inverted=mask.inverted, blur=0).getbbox() is None:
                raise InvalidRequest(
                    "mask.image", "The mask is empty. Paint over the part that should change."
                )

    def size(self, request: GenerationRequest, defaults: Defaults) -> tuple[int, int]:
        """The size that is painted first, or that extras work towards. Raises InvalidRequest."""
        if request.extras is not None:
            return self._extras_size(request.extras)
        if request.source is None or (
            request.width and request.height and request.outpaint is None
        ):
            return request.width or defaults.width, request.height or defaults.height
        source = self._open("source.image", request.source.image)
        if request.outpaint is not None:
            return outpaint_size(source.size, request.outpaint)
        return (
            request.width or _nearest_side(source.width),
            request.height or _nearest_side(source.height),
        )

    def words(self, id: InputId) -> PromptPair:
        """The prompts that a picture says it was made with, empty if it says none. Raises
        NotFound, UnreadablePicture."""
        told = read_picture_text(self._inputs.path(id))
        if told.record is not None:
            recipe = told.record.recipe
            return PromptPair(prompt=recipe.prompt, negative_prompt=recipe.negative_prompt)
        text = read_infotext(told.infotext)
        return PromptPair(
            prompt=text.prompt[:LONGEST_PROMPT],
            negative_prompt=text.negative_prompt[:LONGEST_PROMPT],
        )

    def _extras_size(self, extras: Extras) -> tuple[int, int]:
        if extras.width and extras.height:
            return extras.width, extras.height
        if extras.width or extras.height:
            raise InvalidRequest(
                "extras.height" if extras.width else "extras.width",
                "An exact size needs a width and a height. Give both, or neither.",
            )
        source = self._open("extras.image", extras.image)
        width, height = (max(1, int(side * extras.scale)) for side in source.size)
        if max(width, height) > LARGEST_RESULT:
            raise InvalidRequest(
                "extras.scale",
                f"The picture would get {width} x {height} pixels; a side may have "
                f"{LARGEST_RESULT}. Choose a smaller factor.",
            )
        return width, height

    def _open(self, field: str, id: InputId) -> Image.Image:
        try:
            return self._inputs.open(id)
        except NotFound as error:
            raise InvalidRequest(field, PICTURE_GONE) from error


def named_pictures(request: GenerationRequest) -> list[tuple[str, InputId]]:
    """The fields of a request that name pictures that were put in, each with the picture."""
    parts = (("source", request.source), ("mask", request.mask), ("extras", request.extras))
    own = [(f"{name}.image", part.image) for name, part in parts if part is not None]
    return own + [
        (f"extensions.{id}", picture)
        for id, values in request.extensions.items()
        for picture in pictures_in(values)
    ]


def pictures_of(recipe: Recipe) -> list[InputId]:
    """The pictures that a recipe names."""
    parts = (recipe.source, recipe.mask, recipe.extras)
    own = [part.image for part in parts if part is not None]
    return own + [id for values in recipe.extensions.values() for id in pictures_in(values)]


def _nearest_side(pixels: int) -> int:
    rounded = round(pixels / CELL) * CELL
    return min(max(rounded, SMALLEST_SIDE), LARGEST_SIDE)
