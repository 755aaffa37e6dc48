"""What a job paints on, as pictures: nothing, a source, or the masked part of one. No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image

from webui.core.errors import InvalidRequest, UnreadablePicture
from webui.core.recipe import Recipe
from webui.core.request import InputId, Mask, MaskArea, ResizeMode
from webui.imaging.fit import fit, flatten
from webui.imaging.masks import (
    fit_mask,
    masked_area,
    overlay_alpha,
    paste_back,
    paste_crop,
    prepare_mask,
)
from webui.imaging.upload import open_upload

LARGEST_SIDE: Final = 2048
"""Of a source whose latent is resized: a picture of 50 megapixels can't be encoded at once."""

Inputs = Mapping[InputId, Path]


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """What is there before painting, and what happens to each picture after it.

    `source` is RGB of the recipe's size, or of its own when the latent is to be resized; None for
    txt2img. `mask` is "L" of the recipe's size, None where all is painted.
    """

    source: Image.Image | None = None
    mask: Image.Image | None = None
    finish: Callable[[Image.Image], Image.Image] = lambda painted: painted


def make_canvas(recipe: Recipe, inputs: Inputs) -> Canvas:
    """The canvas of a recipe. Raises InvalidRequest when a picture it names can't be used."""
    if recipe.source is None:
        return Canvas()
    picture = flatten(_open(inputs, "source.image", recipe.source.image))
    mode = recipe.source.resize_mode
    if recipe.mask is None:
        return Canvas(source=_source(picture, recipe, mode))
    mask = _mask(inputs, recipe.mask, picture.size)
    if recipe.mask.area is MaskArea.MASKED:
        return _masked_part(recipe, recipe.mask.padding, picture, mask)
    return _whole(recipe, mode, picture, mask)


def _whole(recipe: Recipe, mode: ResizeMode, picture: Image.Image, mask: Image.Image) -> Canvas:
    shown = fit(picture, recipe.width, recipe.height, _visible(mode))
    fitted = fit_mask(mask, recipe.width, recipe.height, mode)
    alpha = overlay_alpha(fitted)
    return Canvas(
        source=_source(picture, recipe, mode),
        mask=fitted,
        finish=lambda painted: paste_back(shown, painted, alpha),
    )


def _masked_part(recipe: Recipe, padding: int, picture: Image.Image, mask: Image.Image) -> Canvas:
    """The mask's surroundings at the recipe's size; the result has the size of the picture."""
    size = (recipe.width, recipe.height)
    box = masked_area(mask, *size, padding)
    return Canvas(
        source=fit(picture.crop(box), *size, ResizeMode.FILL),
        mask=fit_mask(mask.crop(box), *size, ResizeMode.FILL),
        finish=lambda painted: paste_crop(picture, painted, mask, box),
    )


def _source(picture: Image.Image, recipe: Recipe, mode: ResizeMode) -> Image.Image:
    if mode is not ResizeMode.LATENT:
        return fit(picture, recipe.width, recipe.height, mode)
    shrink = min(1.0, LARGEST_SIDE / max(picture.size))
    width, height = (max(8, int(side * shrink) // 8 * 8) for side in picture.size)
    return fit(picture, width, height, ResizeMode.STRETCH)


def _visible(mode: ResizeMode) -> ResizeMode:
    """What stays of the source shows it as its resized latent does."""
    return ResizeMode.STRETCH if mode is ResizeMode.LATENT else mode


def _mask(inputs: Inputs, mask: Mask, size: tuple[int, int]) -> Image.Image:
    """The prepared mask, of the size of the picture it belongs to."""
    drawn = _open(inputs, "mask.image", mask.image)
    if drawn.size != size:
        drawn = drawn.resize(size, Image.Resampling.BILINEAR)
    return prepare_mask(drawn, inverted=mask.inverted, blur=mask.blur)


def _open(inputs: Inputs, field: str, id: InputId) -> Image.Image:
    """Upright, as the studio measured it: a photo may lie on its side in the file."""
    try:
        return open_upload(inputs[id].read_bytes())
    except (KeyError, OSError, UnreadablePicture) as error:
        raise InvalidRequest(
            field, "The picture that belongs here can't be read any more. Add it again."
        ) from error
