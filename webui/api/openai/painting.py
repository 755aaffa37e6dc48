"""Jobs for the requests of OpenAI's clients."""

from __future__ import annotations

import re
from typing import Final

from PIL import Image, ImageChops

from webui.api.openai.asked import ImagesAsk, ImagesQuery
from webui.api.openai.errors import invalid
from webui.core.errors import InvalidRequest, UnreadablePicture
from webui.core.job import Job, PersonId
from webui.core.model import ModelKind
from webui.core.request import GenerationRequest, Mask, MaskContent, Sampling, Source
from webui.imaging.upload import open_upload
from webui.studio import Studio

HOUSE_NAMES: Final = re.compile(r"(dall-e|gpt-image|chatgpt-image|gpt-4o|gesso)[\w.-]*")
"""Models of OpenAI's, which clients name because they must name one."""
EDIT_STRENGTH: Final = 1.0
"""Under a mask: OpenAI's models don't see what is to be replaced."""
REDRAW_STRENGTH: Final = 0.75
VARIATION_STRENGTH: Final = 0.6
MISSING: Final = "missing_required_parameter"
KEPT: Final = 255
"""Opaque in the mask: this pixel stays."""


def generate(studio: Studio, ask: ImagesAsk, person: PersonId, key: str | None = None) -> Job:
    """A job for new pictures. Raises Refused, or what `submit` raises. Blocks."""
    _need_prompt(ask.query)
    return studio.submit(_request(studio, ask), person, key)


def edit(studio: Studio, ask: ImagesAsk, person: PersonId, key: str | None = None) -> Job:
    """A job that changes a picture: where the mask is transparent, or all of it. Blocks."""
    _need_prompt(ask.query)
    data = _one_image(ask)
    hole = _hole(open_upload(data), ask.mask)
    strength = REDRAW_STRENGTH if hole is None else EDIT_STRENGTH
    mask = None
    if hole is not None:
        if hole.getbbox() is None:
            raise invalid(
                "mask", "Nothing of the mask is transparent. Make the part to be changed so."
            )
        image = studio.inputs.add_image(hole, person)
        mask = Mask(image=image, content=MaskContent.FILL)
    source = _source(studio, data, person, ask.query, strength)
    return studio.submit(_request(studio, ask, source, mask), person, key)


def vary(studio: Studio, ask: ImagesAsk, person: PersonId, key: str | None = None) -> Job:
    """A job for pictures like one that is there; a prompt that it carries is used again. Blocks."""
    data = _one_image(ask)
    source = _source(studio, data, person, ask.query, VARIATION_STRENGTH)
    request = _request(studio, ask, source, prompt=_carried(studio, data, person))
    return studio.submit(request, person, key)


def _request(
    studio: Studio,
    ask: ImagesAsk,
    source: Source | None = None,
    mask: Mask | None = None,
    prompt: str = "",
) -> GenerationRequest:
    query = ask.query
    width, height = ask.size or query.sides
    return GenerationRequest(
        prompt=query.prompt or prompt,
        negative_prompt=query.negative_prompt or "",
        checkpoint=checkpoint(studio, query.model),
        width=width,
        height=height,
        seed=query.seed,
        batch_count=query.n or 1,
        sampling=Sampling(steps=query.steps, guidance_scale=query.guidance_scale),
        source=source,
        mask=mask,
    )


def checkpoint(studio: Studio, name: str | None) -> str | None:
    """The id of the model that is meant, None for the chosen one. Raises InvalidRequest."""
    if not name or not name.strip():
        return None
    found = studio.catalog.look_up(ModelKind.CHECKPOINT, name)
    if found is not None:
        return found.id
    if HOUSE_NAMES.fullmatch(name.strip().lower()):
        return None
    raise InvalidRequest(
        "checkpoint",
        f"There is no model “{name}”. GET /v1/models lists those that there are; without a name "
        "the chosen one is used.",
    )


def _need_prompt(query: ImagesQuery) -> None:
    if query.prompt is None or not query.prompt.strip():
        raise invalid("prompt", "Missing required parameter: 'prompt'.", MISSING)


def _one_image(ask: ImagesAsk) -> bytes:
    if not ask.images:
        raise invalid("image", "Missing required parameter: 'image'.", MISSING)
    if len(ask.images) > 1:
        raise invalid(
            "image", f"{len(ask.images)} pictures came. One at a time can be edited here."
        )
    return ask.images[0]


def _source(
    studio: Studio, data: bytes, person: PersonId, query: ImagesQuery, strength: float
) -> Source:
    wanted = query.denoising_strength
    return Source(
        image=studio.inputs.add(data, person),
        denoising_strength=strength if wanted is None else wanted,
    )


def _hole(image: Image.Image, mask: bytes | None) -> Image.Image | None:
    """What to repaint, white ("L"): where the mask is transparent or, without one, the picture
    itself. None when all of the picture is to be repainted."""
    if mask is None:
        alpha = _alpha(image)
        hole = None if alpha is None else ImageChops.invert(alpha)
        return hole if hole is not None and hole.getextrema() == (0, KEPT) else None
    shape = _mask_picture(mask)
    if shape.size != image.size:
        raise invalid(
            "mask",
            f"The mask has {shape.width}x{shape.height} pixels, the picture {image.width}x"
            f"{image.height}. Give both the same size.",
        )
    alpha = _alpha(shape)
    if alpha is None:
        raise invalid(
            "mask", "The mask has no transparency. Make the part to be changed transparent."
        )
    return ImageChops.invert(alpha)


def _mask_picture(mask: bytes) -> Image.Image:
    try:
        return open_upload(mask)
    except UnreadablePicture as error:
        raise invalid("mask", str(error), "invalid_image_file") from error


def _alpha(image: Image.Image) -> Image.Image | None:
    """The alpha channel, None where there is none."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        return image.convert("RGBA").getchannel("A")
    return None


def _carried(studio: Studio, data: bytes, person: PersonId) -> str:
    try:
        return studio.read_picture(data, person).request.prompt
    except (UnreadablePicture, InvalidRequest):
        return ""
