"""Answers in the shapes that the official library reads (openai 3.54, types/images_response.py).

`usage` counts what there is to count here: words of the prompt, and patches of 16 x 16 pixels.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from PIL import Image

from webui.api.openai.asked import ImagesQuery, OutputFormat
from webui.api.openai.links import Shown
from webui.core.job import Job
from webui.core.model import ModelInfo
from webui.core.result import Picture
from webui.imaging.picture_text import PictureFormat, PictureRecord, encode_picture
from webui.imaging.upload import open_upload
from webui.studio import Studio

Quality = Literal["low", "medium", "high", "xhigh", "max", "auto"]
PartialType = Literal["image_generation.partial_image", "image_edit.partial_image"]
CompletedType = Literal["image_generation.completed", "image_edit.completed"]

QUALITIES: Final[tuple[Quality, ...]] = ("low", "medium", "high", "xhigh", "max")
SUFFIXES: Final[Mapping[str, OutputFormat]] = MappingProxyType(
    {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
)
PATCH: Final = 16
USUAL_QUALITY: Final = PictureFormat().quality
_WORD: Final = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, kw_only=True)
class InputTokens:
    """What went in."""

    image_tokens: int
    text_tokens: int


@dataclass(frozen=True, kw_only=True)
class Usage:
    """How much work a request was."""

    input_tokens: int
    input_tokens_details: InputTokens
    output_tokens: int
    total_tokens: int


@dataclass(frozen=True, kw_only=True)
class OpenAIImage:
    """One picture: its bytes, or an address that holds for an hour. `revised_prompt` is the prompt
    with wildcards and styles filled in."""

    b64_json: str | None = None
    url: str | None = None
    revised_prompt: str | None = None


@dataclass(frozen=True, kw_only=True)
class ImagesResponse:
    """All pictures of a request. `size` is the one they have, whatever was asked for."""

    created: int
    data: Sequence[OpenAIImage]
    background: Literal["opaque"]
    output_format: OutputFormat
    size: str
    usage: Usage
    quality: Quality | None = None


@dataclass(frozen=True, kw_only=True)
class PartialImageEvent:
    """A rough look at a picture that is being made."""

    type: PartialType
    b64_json: str
    background: Literal["opaque"]
    created_at: int
    output_format: OutputFormat
    partial_image_index: int
    quality: Quality
    size: str


@dataclass(frozen=True, kw_only=True)
class CompletedEvent:
    """A finished picture."""

    type: CompletedType
    b64_json: str
    background: Literal["opaque"]
    created_at: int
    output_format: OutputFormat
    quality: Quality
    size: str
    usage: Usage


@dataclass(frozen=True, kw_only=True)
class OpenAIModel:
    """A model in the list."""

    id: str
    created: int
    owned_by: str
    object: Literal["model"] = "model"


@dataclass(frozen=True, kw_only=True)
class OpenAIModels:
    """All models."""

    data: Sequence[OpenAIModel]
    object: Literal["list"] = "list"


def model_answer(model: ModelInfo) -> OpenAIModel:
    """A model of ours in the list."""
    return OpenAIModel(id=model.id, created=int(model.modified), owned_by="gesso")


def output_format(query: ImagesQuery) -> OutputFormat:
    """The format that pictures are handed out in."""
    return query.output_format or "png"


def quality(query: ImagesQuery) -> Quality:
    """The quality that was asked for, as far as it is one of the words."""
    found = [word for word in QUALITIES if word == query.quality]
    return found[0] if found else "auto"


def wants_links(query: ImagesQuery) -> bool:
    """Whether addresses are wanted instead of bytes: by default only by DALL·E's clients."""
    if query.response_format is not None:
        return query.response_format == "url"
    return (query.model or "").lower().startswith("dall-e")


def shown_as(picture: Picture, query: ImagesQuery) -> Shown:
    """A picture in the form that a request asks for."""
    return Shown(
        picture_id=picture.id,
        format=output_format(query),
        quality=query.output_compression or 0,
    )


def picture_bytes(studio: Studio, picture: Picture, shown: Shown) -> tuple[bytes, str]:
    """The file of a picture and its media type, in another format if need be; what is recorded in
    it stays in it. Blocks. Raises OSError when the file is gone."""
    data = picture.path.read_bytes()
    if SUFFIXES.get(picture.path.suffix.lower()) == shown.format and not shown.quality:
        return data, f"image/{shown.format}"
    record = PictureRecord(
        recipe=picture.recipe,
        job_id=picture.job_id,
        index=picture.index,
        created_at=picture.created_at,
        owner=picture.owner,
        facts=picture.facts,
    )
    wanted = PictureFormat(name=shown.format, quality=shown.quality or USUAL_QUALITY)
    encoded = encode_picture(open_upload(data), record, studio.labels, wanted)
    return encoded.data, f"image/{SUFFIXES[encoded.suffix]}"


def converted(jpeg: bytes, format: OutputFormat) -> bytes:
    """A preview in another format."""
    if format == "jpeg":
        return jpeg
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(jpeg)) as image:
        image.save(buffer, format.upper())
    return buffer.getvalue()


def as_base64(data: bytes) -> str:
    """Bytes as they stand in JSON."""
    return base64.b64encode(data).decode()


def usage(job: Job, pictures: Sequence[Picture]) -> Usage:
    """How much work these pictures of a job were."""
    words = len(_WORD.findall(f"{job.request.prompt} {job.request.negative_prompt}"))
    read = 0 if job.request.source is None else _patches(job.recipe.width, job.recipe.height)
    made = sum(_patches(picture.width, picture.height) for picture in pictures)
    return Usage(
        input_tokens=words + read,
        input_tokens_details=InputTokens(image_tokens=read, text_tokens=words),
        output_tokens=made,
        total_tokens=words + read + made,
    )


def _patches(width: int, height: int) -> int:
    return -(-width // PATCH) * -(-height // PATCH)
