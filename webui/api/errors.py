"""What went wrong, as an answer: always {"error": {"field": ..., "message": ...}}."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException

from webui.core.codec import encode, explain
from webui.core.errors import (
    DiskFull,
    EngineError,
    ExtensionFailed,
    GessoError,
    InvalidRequest,
    LimitReached,
    ModelUnreadable,
    NotFound,
    NotPermitted,
    UnreadablePicture,
)

STATUSES: Final[tuple[tuple[type[GessoError], HTTPStatus], ...]] = (
    (LimitReached, HTTPStatus.TOO_MANY_REQUESTS),
    (InvalidRequest, HTTPStatus.UNPROCESSABLE_ENTITY),
    (ModelUnreadable, HTTPStatus.UNPROCESSABLE_ENTITY),
    (NotFound, HTTPStatus.NOT_FOUND),
    (NotPermitted, HTTPStatus.FORBIDDEN),
    (UnreadablePicture, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    (ExtensionFailed, HTTPStatus.UNPROCESSABLE_ENTITY),
    (DiskFull, HTTPStatus.INSUFFICIENT_STORAGE),
    (EngineError, HTTPStatus.SERVICE_UNAVAILABLE),
)
NO_JSON: Final = (
    "The body is not a JSON object. Send one, with the header Content-Type: application/json."
)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What was wrong. `field` names the part of the request, null when it is about none."""

    field: str | None
    message: str


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Every error of this API."""

    error: Fault


def add_error_handlers(app: FastAPI) -> None:
    """Answer every error of the API in one shape."""
    app.add_exception_handler(GessoError, _on_gesso_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_bug)


def status_of(error: Exception) -> HTTPStatus:
    """The status that an error of ours is answered with."""
    found = (status for kind, status in STATUSES if isinstance(error, kind))
    return next(found, HTTPStatus.INTERNAL_SERVER_ERROR)


def explained(error: RequestValidationError) -> InvalidRequest:
    """The first field at fault, in the words that the studio itself would use; of no field in
    particular when the body is no JSON object."""
    fault = error.errors()[0]
    where, *place = fault["loc"] or ("",)
    if fault["type"] == "json_invalid" or (where == "body" and not place):
        return InvalidRequest("", NO_JSON)
    return explain(cast("ErrorDetails", {**fault, "loc": tuple(place)}))


def _on_gesso_error(_: Request, error: Exception) -> JSONResponse:
    field = error.field if isinstance(error, InvalidRequest) else None
    return _answer(status_of(error), str(error), field)


def _on_validation_error(_: Request, error: Exception) -> JSONResponse:
    refused = explained(cast("RequestValidationError", error))
    return _answer(HTTPStatus.UNPROCESSABLE_ENTITY, refused.message, refused.field)


def _on_http_error(_: Request, error: Exception) -> JSONResponse:
    refused = cast("HTTPException", error)
    answer = _answer(HTTPStatus(refused.status_code), str(refused.detail))
    answer.headers.update(refused.headers or {})
    return answer


def _on_bug(_: Request, error: Exception) -> JSONResponse:
    """The last border. The server logs the traceback; what it says is not for the client."""
    return _answer(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        f"Something went wrong inside Gesso ({type(error).__name__}). The terminal says more.",
    )


def _answer(status: HTTPStatus, message: str, field: str | None = None) -> JSONResponse:
    fault = Fault(field=sendable(field or "") or None, message=sendable(message))
    return JSONResponse(encode(Refusal(error=fault)), int(status))


def sendable(text: str) -> str:
    """A text that may quote half a surrogate pair, as JSON can hold it: that can't be sent."""
    return text.encode("utf-8", "replace").decode()
