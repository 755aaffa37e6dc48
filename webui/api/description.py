"""The description of the whole API for programs (OpenAPI 3.1), completed beyond what FastAPI knows.

What the gate and the error handlers may answer follows from the rule of each route, so it is
written here once: no route lists it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from fastapi import FastAPI
from pydantic import TypeAdapter

from webui.api.errors import Refusal
from webui.api.examples import EXAMPLES
from webui.api.openai.answers import CompletedEvent, PartialImageEvent
from webui.api.openai.errors import OpenAIError
from webui.gate.access import UPLOAD_BYTES, Access, Rule
from webui.gate.audit import audit
from webui.gate.gradio_rules import GRADIO_RULES

Json = dict[str, Any]

OPENAI: Final = "/v1/"
A1111: Final = ("/sdapi/", "/internal/")
READING: Final = ("get", "head")
PICTURE_TYPES: Final = ("image/png", "image/jpeg", "image/webp")
FILES: Final = (
    (".csv", ("text/csv",)),
    (".jsonl", ("application/jsonl",)),
    ("/metrics", ("text/plain",)),
)
"""Files that are no pictures, by the end of their path."""
WAYS_IN: Final[Mapping[str, Json]] = MappingProxyType(
    {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key."},
        "keyHeader": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "password": {
            "type": "http",
            "scheme": "basic",
            "description": "Name and password, or name and API key.",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "gesso_session",
            "description": "What a browser holds that has signed in.",
        },
    }
)
ABOUT: Final = (
    "Make pictures, look at them, and run the studio. A server that only its own machine reaches "
    "asks nobody for a key; one that is open to a network asks for one of the ways in below."
)
_CONVERTER: Final = re.compile(r"{(\w+):\w+}")


def describe(app: FastAPI) -> Json:
    """The description of all routes of an app that has been put together."""
    description: Json = FastAPI.openapi(app)
    if "securitySchemes" in description["components"]:
        return description  # FastAPI keeps it, and so our changes
    description["info"]["description"] = ABOUT
    components = description["components"]
    components["securitySchemes"] = dict(WAYS_IN)
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    components["schemas"].update(_more_schemas())
    rules = _rules(app)
    for path, verb, operation in _operations(description):
        _complete(path, verb, operation, rules[path, verb])
    return description


def _rules(app: FastAPI) -> Mapping[tuple[str, str], Rule]:
    return {
        (_CONVERTER.sub(r"{\1}", decision.path), method.lower()): decision.rule
        for decision in audit(app, GRADIO_RULES)  # the page may be mounted beside the API
        for method in decision.methods
    }


def _operations(description: Json) -> Iterator[tuple[str, str, Json]]:
    for path, verbs in description["paths"].items():
        for verb, operation in verbs.items():
            yield path, verb, operation


def _complete(path: str, verb: str, operation: Json, rule: Rule) -> None:
    tag = (operation.get("tags") or ["studio"])[0]
    operation["operationId"] = re.sub(r"\W+", "_", f"{tag} {operation['summary']}".lower())
    is_open = rule.access is Access.OPEN
    operation["security"] = [] if is_open else [*({way: []} for way in WAYS_IN), {}]
    operation["x-access"] = rule.access.value
    if rule.max_body_bytes >= UPLOAD_BYTES and "requestBody" not in operation:
        content = {kind: {"schema": dict(_BINARY)} for kind in PICTURE_TYPES}
        operation["requestBody"] = {"required": True, "content": content}
    if (example := EXAMPLES.get((verb, path))) is not None:
        operation["requestBody"]["content"]["application/json"]["example"] = dict(example)
    answers = operation["responses"]
    answers.pop("422", None)
    if verb == "get" and not answers.get("200", {}).get("content", {}):
        answers["200"]["content"] = _file_content(path)
        answers["304"] = {"description": "The copy that the client has is still right."}
    for status in sorted(_statuses(path, verb, operation, rule)):
        answers.setdefault(str(int(status)), _answer(path, status))


def _file_content(path: str) -> Json:
    """What a route that answers with a file may send."""
    kinds = next((kinds for end, kinds in FILES if path.endswith(end)), PICTURE_TYPES)
    is_text = kinds is not PICTURE_TYPES
    return {kind: {"schema": {"type": "string"} if is_text else dict(_BINARY)} for kind in kinds}


def _statuses(path: str, verb: str, operation: Json, rule: Rule) -> Iterator[HTTPStatus]:
    """How a request may be refused, beside what its route itself says."""
    yield from (HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.MISDIRECTED_REQUEST)
    is_write = verb not in READING
    if rule.access is not Access.OPEN or is_write:  # names and passwords are sent to open routes
        yield from (HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS)
    if operation.get("parameters") or is_write:  # any of it may name what is not there
        yield from (HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)
    if is_write:
        yield from (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.INSUFFICIENT_STORAGE)
        yield from (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
        yield HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    if rule.is_stream:
        yield HTTPStatus.SERVICE_UNAVAILABLE
    if path.startswith(OPENAI) and rule.is_stream:
        yield HTTPStatus.INTERNAL_SERVER_ERROR
    if rule.is_page:
        yield HTTPStatus.SEE_OTHER


def _answer(path: str, status: HTTPStatus) -> Json:
    if status is HTTPStatus.SEE_OTHER:
        return {"description": "A browser without a session is sent to the page to sign in."}
    if path.startswith(OPENAI):
        schema: Json = {"$ref": "#/components/schemas/OpenAIError"}
    elif path.startswith(A1111):
        schema = {"type": "object", "properties": {"detail": {}}, "required": ["detail"]}
    else:
        schema = {"$ref": "#/components/schemas/Refusal"}
    content: Json = {"application/json": {"schema": schema}}
    if not path.startswith((OPENAI, "/api/", *A1111)):
        content["text/plain"] = {"schema": {"type": "string"}}  # the gate's own words
    return {"description": REASONS.get(status, status.phrase), "content": content}


def _more_schemas() -> Json:
    """Both shapes of errors and the events of streams, and the parts that they are made of."""
    schemas: Json = {}
    for kind in (Refusal, OpenAIError, PartialImageEvent, CompletedEvent):
        schema = TypeAdapter(kind).json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas[kind.__name__] = schema
    return schemas


_BINARY: Final[Mapping[str, str]] = MappingProxyType({"type": "string", "format": "binary"})
REASONS: Final[Mapping[HTTPStatus, str]] = MappingProxyType(
    {
        HTTPStatus.BAD_REQUEST: "The request makes no sense as HTTP, or as this API's JSON.",
        HTTPStatus.UNAUTHORIZED: "Nobody is signed in, or the key is not good.",
        HTTPStatus.FORBIDDEN: "It came from another site, or is not for this role.",
        HTTPStatus.NOT_FOUND: "There is no such thing, or it is somebody else's.",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large.",
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "It is no picture that can be opened.",
        HTTPStatus.MISDIRECTED_REQUEST: "The server does not answer to this host name.",
        HTTPStatus.UNPROCESSABLE_ENTITY: "A value can't be used; `field` names it.",
        HTTPStatus.TOO_MANY_REQUESTS: "A limit is reached; the message says which.",
        HTTPStatus.INTERNAL_SERVER_ERROR: "The job failed; the message says why.",
        HTTPStatus.SERVICE_UNAVAILABLE: "An engine or a stream is not to be had now.",
        HTTPStatus.INSUFFICIENT_STORAGE: "The disk is full.",
    }
)
