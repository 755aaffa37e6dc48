"""What a job paints on, as pictures: nothing, a source, or the masked part of one. No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageChops

from webui.core.errors import InvalidRequest, UnreadablePicture
from webui.core.recipe import Recipe
from webui.core.request import InputId, Mask, MaskArea, MaskContent, Outpaint, ResizeMode
from webui.extend.steps import MaskOverlay
from webui.imaging.colors import corrected
from webui.imaging.fill import filled
from webui.imaging.fit import fit, flatten, reshape
from webui.imaging.masks import (
    fit_mask,
    masked_area,
    overlay_alpha,
    paste_back,
    paste_part,
    prepare_mask,
)
from webui.imaging.outpaint import (
    extended,
    outpaint_mask,
    outpaint_size,
    place_of,
    result_size,
)
from webui.imaging.soft import changed_alpha
from webui.imaging.upload import open_upload

LARGEST_SIDE: Final = 2048
"""Of a source whose latent is resized: a picture of 50 megapixels can't be encoded at once."""

OUTPAINT_CONTENT: Final = MaskContent.ORIGINAL
"""Of new sides, when no mask says otherwise."""

Inputs = Mapping[InputId, Path]
Finish = Callable[[Image.Image], Image.Image]
Overlay = Callable[[Image.Image, Image.Image, Image.Image], MaskOverlay]
"""What is laid over a source and where: the painted picture, the source, the mask ("L"), all of one
size, as extensions want them."""


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """What is there before painting, and what happens to each picture after it.

    `source` is RGB of the recipe's size, or of its own when the latent is to be resized; None for
    txt2img. `mask` is "L" of the recipe's size, None where all is painted. `content` says what
    lies under the mask; FILL is already done in `source`, noise and nothing are the latents'.
    `finish` takes the decoded picture and gives the one to be saved.
    """

    source: Image.Image | None = None
    mask: Image.Image | None = None
    content: MaskContent = MaskContent.ORIGINAL
    finish: Finish = lambda painted: painted


def plainly(painted: Image.Image, source: Image.Image, mask: Image.Image) -> MaskOverlay:
    """The Overlay of pictures that no extension looks at."""
    return MaskOverlay(painted=painted, source=source, mask=mask)


def make_canvas(recipe: Recipe, inputs: Inputs, overlay: Overlay = plainly) -> Canvas:
    """The canvas of a recipe. Raises InvalidRequest when a picture it names can't be used."""
    if recipe.source is None:
        return Canvas()
    picture = flatten(_open(inputs, "source.image", recipe.source.image))
    mask = None if recipe.mask is None else _mask(inputs, recipe.mask, picture.size)
    if recipe.outpaint is not None:
        return _outpainted(recipe, recipe.outpaint, picture, mask, overlay)
    if recipe.mask is None or mask is None:
        return _unmasked(recipe, picture, recipe.source.resize_mode)
    if recipe.mask.area is MaskArea.MASKED:
        return _masked_part(recipe, recipe.mask.padding, picture, mask, overlay)
    return _whole(recipe, recipe.source.resize_mode, picture, mask, overlay)


def _unmasked(recipe: Recipe, picture: Image.Image, mode: ResizeMode) -> Canvas:
    def finish(painted: Image.Image) -> Image.Image:
        return _recolored(recipe, painted, fit(picture, *painted.size, _visible(mode)), None)

    return Canvas(source=_source(picture, recipe, mode), finish=finish)


def _whole(
    recipe: Recipe, mode: ResizeMode, picture: Image.Image, mask: Image.Image, overlay: Overlay
) -> Canvas:
    shown = fit(picture, recipe.width, recipe.height, _visible(mode))
    fitted = fit_mask(mask, recipe.width, recipe.height, mode)
    content = _content(recipe)

    def finish(painted: Image.Image) -> Image.Image:
        painted = _recolored(recipe, painted, shown, fitted)
        return _laid(overlay(painted, shown, _alpha(recipe, shown, painted, fitted)))

    # a fill needs the mask on the picture, so it is laid into what is seen of it
    source = shown if content is MaskContent.FILL else _source(picture, recipe, mode)
    return Canvas(
        source=_begun(source, fitted, content), mask=fitted, content=content, finish=finish
    )


def _masked_part(
    recipe: Recipe, padding: int, picture: Image.Image, mask: Image.Image, overlay: Overlay
) -> Canvas:
    """The mask's surroundings at the recipe's size; the result has the size of the picture."""
    size = (recipe.width, recipe.height)
    box = masked_area(mask, *size, padding)
    part, content = picture.crop(box), _content(recipe)
    shown = fit(part, *size, ResizeMode.FILL)
    fitted = fit_mask(mask.crop(box), *size, ResizeMode.FILL)

    def finish(painted: Image.Image) -> Image.Image:
        painted = _recolored(recipe, painted, shown, fitted)
        back = reshape(painted, box.width, box.height, ResizeMode.CROP)
        laid = _laid(overlay(back, part, _part_alpha(recipe, part, back, mask.crop(box))))
        return paste_part(picture, laid, Image.new("L", laid.size, 255), box)

    return Canvas(
        source=_begun(shown, fitted, content), mask=fitted, content=content, finish=finish
    )


def _outpainted(
    recipe: Recipe,
    outpaint: Outpaint,
    picture: Image.Image,
    drawn: Image.Image | None,
    overlay: Overlay,
) -> Canvas:
    """The source in its own size with new sides, and what a mask on it covers besides."""
    size = (recipe.width, recipe.height)
    _check_outpaint(recipe, outpaint, picture.size)
    place = place_of(size, picture.size, outpaint)
    shown, content = extended(picture, size, place), _content(recipe)
    mask = outpaint_mask(size, picture.size, outpaint)
    if drawn is not None:
        mask.paste(ImageChops.lighter(drawn, mask.crop((*place, *_end(place, drawn.size)))), place)
    left, top = place[0] - outpaint.left, place[1] - outpaint.top
    result = (left, top, *_end((left, top), result_size(picture.size, outpaint)))

    def finish(painted: Image.Image) -> Image.Image:
        painted = _recolored(recipe, painted, shown, mask)
        return _laid(overlay(painted, shown, overlay_alpha(mask))).crop(result)

    return Canvas(source=_begun(shown, mask, content), mask=mask, content=content, finish=finish)


def _laid(overlay: MaskOverlay) -> Image.Image:
    return paste_back(overlay.source, overlay.painted, overlay.mask)


def _check_outpaint(recipe: Recipe, outpaint: Outpaint, source_size: tuple[int, int]) -> None:
    wanted = outpaint_size(source_size, outpaint)
    if (recipe.width, recipe.height) != wanted:
        raise InvalidRequest(
            "outpaint",
            f"A source of {source_size[0]}×{source_size[1]} with these new sides is painted at "
            f"{wanted[0]}×{wanted[1]}, not at {recipe.width}×{recipe.height}. "
            "Leave width and height empty.",
        )
    if recipe.mask is not None and recipe.mask.area is MaskArea.MASKED:
        raise InvalidRequest(
            "mask.area",
            "New sides need the whole picture, and “only masked” paints a part of it. "
            "Choose the whole picture, or do one after the other.",
        )


def _content(recipe: Recipe) -> MaskContent:
    return recipe.mask.content if recipe.mask is not None else OUTPAINT_CONTENT


def _begun(source: Image.Image, mask: Image.Image, content: MaskContent) -> Image.Image:
    """The source with what is laid under the mask before it is encoded."""
    return filled(source, mask) if content is MaskContent.FILL else source


def _recolored(
    recipe: Recipe, painted: Image.Image, shown: Image.Image, mask: Image.Image | None
) -> Image.Image:
    """The painted picture in the source's colours, where that was asked for."""
    if recipe.source is None or not recipe.source.color_correction:
        return painted
    return corrected(painted, shown, mask)


def _alpha(
    recipe: Recipe, shown: Image.Image, painted: Image.Image, mask: Image.Image
) -> Image.Image:
    """How much of the painted picture shows, for a mask over the whole picture."""
    soft = None if recipe.mask is None else recipe.mask.soft
    return overlay_alpha(mask) if soft is None else changed_alpha(shown, painted, mask, soft)


def _part_alpha(
    recipe: Recipe, part: Image.Image, painted: Image.Image, mask: Image.Image
) -> Image.Image:
    """The same for a crop, where the blurred mask itself is the alpha."""
    soft = None if recipe.mask is None else recipe.mask.soft
    return mask if soft is None else changed_alpha(part, painted, mask, soft)


def _end(start: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    return start[0] + size[0], start[1] + size[1]


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
