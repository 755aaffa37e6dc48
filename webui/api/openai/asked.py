"""What a client of OpenAI's image API asks for, read from JSON or from a form.

Parameters that have no meaning here are accepted and reported in a header of the answer: new ones
appear every few months, and a client can't leave out what its library sends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Final, Literal

from annotated_types import Ge, Le
from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from webui.api.openai.errors import invalid
from webui.core.codec import decode
from webui.core.errors import InvalidRequest
from webui.core.request import (
    CELL,
    LARGEST_SIDE,
    SMALLEST_SIDE,
    Fraction,
    GuidanceScale,
    Name,
    Prompt,
    Seed,
    Steps,
)

MOST_PICTURES: Final = 10
MOST_FIELDS: Final = 100
MOST_FILES: Final = 20
DATA_ADDRESS: Final = "data:"
_SIZE: Final = re.compile(r"(\d{1,5})\s*[x×*]\s*(\d{1,5})", re.IGNORECASE)
_SUB_FIELD: Final = re.compile(r"\[\w*\]$")
"""Clients write lists as `image[]` or `image[0]`."""

OutputFormat = Literal["png", "jpeg", "webp"]


@dataclass(frozen=True, kw_only=True)
class ImagesQuery:
    """One request for pictures. The fields from `negative_prompt` on are Gesso's own."""

    prompt: Prompt | None = None
    model: Name | None = None
    """A model's id, name or hash; names of OpenAI's models, or none, mean the chosen one."""
    n: Annotated[int, Ge(1), Le(MOST_PICTURES)] | None = None
    size: Name | None = None
    """`auto`, or the width and height as in `1024x768`."""
    response_format: Literal["b64_json", "url"] | None = None
    output_format: OutputFormat | None = None
    output_compression: Annotated[int, Ge(0), Le(100)] | None = None
    """The quality of a JPEG or WebP."""
    stream: bool | None = None
    partial_images: Annotated[int, Ge(0), Le(3)] | None = None
    quality: Name | None = None
    """Accepted, without effect: `steps` says how much work goes into a picture."""
    negative_prompt: Prompt | None = None
    seed: Seed | None = None
    steps: Steps | None = None
    guidance_scale: GuidanceScale | None = None
    denoising_strength: Fraction | None = None
    """Of edits and variations: how much of the picture is made anew."""

    @property
    def sides(self) -> tuple[int | None, int | None]:
        """Width and height in pixels, None where the model or the picture decides. Both are
        brought to the nearest multiple of 8; the answer says what became of them."""
        if self.size is None or self.size.strip().lower() in ("", "auto"):
            return None, None
        found = _SIZE.fullmatch(self.size.strip())
        sides = [_snapped(int(side)) for side in found.groups()] if found else []
        if not sides or not all(SMALLEST_SIDE <= side <= LARGEST_SIDE for side in sides):
            raise invalid(
                "size",
                f"The size “{self.size}” can't be made. Ask for auto, or for a width and a height "
                f"of {SMALLEST_SIDE} to {LARGEST_SIDE} as in 1024x768.",
            )
        return sides[0], sides[1]


@dataclass(frozen=True, kw_only=True)
class ImagesAsk:
    """A request as it came: its parameters, its pictures, and what has no meaning here."""

    query: ImagesQuery
    images: tuple[bytes, ...] = ()
    mask: bytes | None = None
    size: tuple[int | None, int | None] | None = None
    """Width and height, where they are known apart; otherwise `query.size` has them."""
    ignored: tuple[str, ...] = ()


KNOWN: Final = frozenset(field.name for field in fields(ImagesQuery))


async def read_json(request: Request) -> ImagesAsk:
    """A request for new pictures."""
    try:
        data = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise invalid(
            None, "The body is not JSON. Send one JSON object.", "invalid_json"
        ) from error
    if not isinstance(data, dict):
        raise invalid(None, "The body is not a JSON object. Send one.", "invalid_json")
    return _ask(data)


async def read_form(request: Request) -> ImagesAsk:
    """A request that brings pictures, as multipart/form-data."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise invalid(
            "image",
            f"The body is “{kind or 'of no type'}”. Send the picture as multipart/form-data.",
            "invalid_content_type",
        )
    async with request.form(max_files=MOST_FILES, max_fields=MOST_FIELDS) as form:
        texts = {name: value for name, value in form.multi_items() if isinstance(value, str)}
        images = [await _contents(file) for file in _files(form, "image")]
        masks = [await _contents(file) for file in _files(form, "mask")]
    ask = _ask(texts)
    return ImagesAsk(
        query=ask.query,
        images=tuple(images),
        mask=masks[0] if masks else None,
        ignored=ask.ignored,
    )


def _files(form: FormData, name: str) -> list[UploadFile]:
    return [
        value
        for field, value in form.multi_items()
        if isinstance(value, UploadFile) and _SUB_FIELD.sub("", field) == name
    ]


async def _contents(file: UploadFile) -> bytes:
    """The bytes of a file; large ones lie on the disk, so that a thread reads them."""
    return await run_in_threadpool(file.file.read)


def _ask(data: Mapping[str, Any]) -> ImagesAsk:
    """Blanks say nothing: programs send the fields of their form that nobody filled in."""
    known = {name: data[name] for name in KNOWN & data.keys() if data[name] not in (None, "")}
    try:
        query = decode(ImagesQuery, known)
    except InvalidRequest as error:
        raise invalid(error.field, error.message) from error
    return ImagesAsk(query=query, ignored=tuple(sorted(set(data) - KNOWN)))


def _snapped(pixels: int) -> int:
    return round(pixels / CELL) * CELL
