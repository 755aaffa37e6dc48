"""A1111's extras: finished pictures, enlarged; and what a picture says of itself."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Annotated, Any, Final

from annotated_types import Ge, Le
from pydantic import TypeAdapter

from webui.api.sdapi import names
from webui.api.sdapi.answers import file_of
from webui.api.sdapi.errors import Refused
from webui.api.sdapi.leniency import Text, Whole
from webui.api.sdapi.pictures import as_png, read_base64, write_base64
from webui.core.codec import check
from webui.core.errors import UnreadablePicture
from webui.core.job import Job
from webui.core.request import LARGEST_RESULT, Extras, GenerationRequest, InputId
from webui.core.result import Picture
from webui.imaging.infotext import Infotext, join_infotext
from webui.imaging.picture_text import RECORD_KEY, all_texts
from webui.imaging.told import read_told
from webui.imaging.upload import open_header, open_upload
from webui.studio import Studio

MOST_AT_ONCE: Final = 100
TO_SIZE: Final = 1
"""The resize mode with a width and a height."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One picture of a batch."""

    data: str
    name: Text = ""


@dataclass(frozen=True, kw_only=True)
class ExtrasFields:
    """The body of extra-single-image and extra-batch-images."""

    resize_mode: Whole = 0
    show_extras_results: bool = True
    gfpgan_visibility: float = 0.0
    codeformer_visibility: float = 0.0
    codeformer_weight: float = 0.0
    upscaling_resize: Annotated[float, Ge(0.01), Le(8)] = 2.0
    upscaling_resize_w: Annotated[Whole, Ge(1), Le(LARGEST_RESULT)] = 512
    upscaling_resize_h: Annotated[Whole, Ge(1), Le(LARGEST_RESULT)] = 512
    upscaling_crop: bool = True
    upscaler_1: Text = names.NONE
    upscaler_2: Text = names.NONE
    extras_upscaler_2_visibility: float = 0.0
    upscale_first: bool = False
    image: str = ""
    imageList: tuple[Listed, ...] = ()

    @property
    def ignored(self) -> tuple[str, ...]:
        """What it asks for that we don't have."""
        asked = (
            ("gfpgan_visibility", self.gfpgan_visibility),
            ("codeformer_visibility", self.codeformer_visibility),
        )
        return tuple(name for name, value in asked if value)


def read_extras(body: Mapping[str, Any], *, is_batch: bool) -> tuple[ExtrasFields, list[bytes]]:
    """The fields and the pictures. Raises ValidationError, Refused."""
    given = {name: value for name, value in body.items() if value is not None}
    if is_batch and "imageList" not in given:
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "No imageList came. Send one: a list of {data, name}, data a picture in base64.",
        )
    fields: ExtrasFields = _adapter().validate_python(given)
    texts = [listed.data for listed in fields.imageList] if is_batch else [fields.image]
    if len(texts) > MOST_AT_ONCE:
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"{len(texts)} pictures are too many at once. Send at most {MOST_AT_ONCE}.",
        )
    return fields, [read_base64(text) for text in texts]


def extras_request(
    studio: Studio, fields: ExtrasFields, picture: InputId
) -> GenerationRequest | None:
    """Our request for one picture; None when no upscaler is named, which leaves it as it is."""
    first = names.find_upscaler(fields.upscaler_1)
    if first is None:
        return None
    second = names.find_upscaler(fields.upscaler_2)
    visibility = fields.extras_upscaler_2_visibility if second else 0.0
    size, scale = _size(fields, studio.inputs.open(picture).size), fields.upscaling_resize
    extras = Extras(
        image=picture,
        upscaler=first,
        scale=scale if size is None else 1.0,
        width=size[0] if size else None,
        height=size[1] if size else None,
        crop=True,
        second_upscaler=second if visibility else None,
        second_visibility=visibility,
    )
    return check(GenerationRequest(extras=extras))


def extras_answer(
    studio: Studio, pictures: Sequence[Picture | bytes], *, is_batch: bool
) -> dict[str, Any]:
    """The pictures in the order they came. One that nothing was to be done to comes as bytes."""
    images, texts = [], []
    for picture in pictures:
        if isinstance(picture, bytes):
            images.append(write_base64(as_png(open_upload(picture))))
            continue
        file = file_of(studio, picture)
        images.append(write_base64(file.data))
        texts.append(file.infotext)
    info = "".join(f"<p>{html.escape(text)}</p>" for text in texts)
    if is_batch:
        return {"html_info": info, "images": images}
    return {"html_info": info, "image": images[0]}


def only_picture(studio: Studio, job: Job) -> Picture:
    """The picture of a job of extras that is over. Raises Refused when it failed."""
    pictures = studio.gallery.of_job(job.id)
    if pictures:
        return pictures[0]
    reason = job.reason or "It was interrupted."
    raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR, f"The picture was not made. {reason}")


def png_info(data: bytes) -> dict[str, Any]:
    """What a picture says of how it was made: as a text, with all other texts of the file, and
    taken apart. Nothing when it says nothing. Raises UnreadablePicture."""
    texts = all_texts(open_header(data))
    try:
        infotext = read_told(data).told.infotext
    except UnreadablePicture:
        open_upload(data)  # says why, where it is no whole picture
        return {"info": texts.get("parameters", ""), "items": _items(texts), "parameters": {}}
    return {
        "info": texts.get("parameters") or join_infotext(infotext),
        "items": _items(texts),
        "parameters": _parameters(infotext),
    }


def _items(texts: Mapping[str, str]) -> dict[str, str]:
    return {key: text for key, text in texts.items() if key not in ("parameters", RECORD_KEY)}


def _parameters(infotext: Infotext) -> dict[str, str]:
    """A1111's keys: sizes as two numbers, and what it takes for granted where it isn't said."""
    found = {"Prompt": infotext.prompt, "Negative prompt": infotext.negative_prompt}
    for key, value in infotext.settings.items():
        width, cross, height = value.partition("x")
        if cross and width.isdecimal() and height.isdecimal():
            found |= {f"{key}-1": width, f"{key}-2": height}
        else:
            found[key] = value
    if infotext.settings:
        found = {"Clip skip": "1", "Schedule type": "Automatic", **found}
    return found


def _size(fields: ExtrasFields, source: tuple[int, int]) -> tuple[int, int] | None:
    """The exact size of the result; None where a factor says it. A1111 without cropping lets the
    picture grow until it covers the size asked for."""
    width, height = fields.upscaling_resize_w, fields.upscaling_resize_h
    scale = fields.upscaling_resize
    if fields.resize_mode == TO_SIZE:
        if fields.upscaling_crop:
            return width, height
        scale = max(width / source[0], height / source[1])
    elif scale >= 1:
        return None
    return max(1, int(source[0] * scale)), max(1, int(source[1] * scale))


@cache
def _adapter() -> TypeAdapter[ExtrasFields]:
    return TypeAdapter(ExtrasFields)


def json_body(answer: object) -> bytes:
    """An answer as JSON, made outside of the loop: pictures are large."""
    return json.dumps(answer, ensure_ascii=False).encode()
