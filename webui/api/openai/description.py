"""What the API description says of bodies that are not read by FastAPI."""

from __future__ import annotations

from typing import Any, Final

from pydantic import TypeAdapter

from webui.api.openai.answers import CompletedEvent, ImagesResponse, PartialImageEvent
from webui.api.openai.asked import ImagesQuery


def _query() -> dict[str, Any]:
    schema = TypeAdapter(ImagesQuery).json_schema()
    return {**schema, "additionalProperties": True}


def _json_body() -> dict[str, Any]:
    schema = {**_query(), "required": ["prompt"]}
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


def _form_body() -> dict[str, Any]:
    schema = _query()
    binary = {"type": "string", "format": "binary"}
    files = {
        "image": {**binary, "description": "PNG, JPEG or WebP; also as `image[]`."},
        "mask": {**binary, "description": "PNG of the same size; what is transparent is changed."},
    }
    schema = {
        **schema,
        "properties": {**schema["properties"], **files},
        "required": ["image"],
    }
    return {
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    }


def _answers() -> dict[int | str, dict[str, Any]]:
    events = [
        {"$ref": f"#/components/schemas/{kind.__name__}"}
        for kind in (PartialImageEvent, CompletedEvent)
    ]
    return {
        200: {
            "model": ImagesResponse,
            "description": "The pictures; with `stream`, the events.",
            "content": {"text/event-stream": {"x-events": {"oneOf": events}}},
        }
    }


GENERATION: Final[Any] = _json_body()
FORM: Final[Any] = _form_body()
STREAM_OR_JSON: Final[Any] = _answers()
