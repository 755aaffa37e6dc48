"""What went wrong, as A1111 says it: {"error", "detail", "body", "errors"}, and its statuses.

Programs read `detail`; some read `error` or `errors`. Routes get it by their route class, so that
the rest of the API keeps its own shape.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine
from http import HTTPStatus
from typing import Any, Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from webui.api.errors import status_of
from webui.core.errors import GessoError, InvalidRequest, UnreadablePicture

log = logging.getLogger(__name__)

BAD_PICTURE: Final = "Invalid encoded image."
"""A1111's words; programs look for them, and for status 500."""
NO_JSON: Final = (
    "The body is not a JSON object. Send one with the header Content-Type: application/json."
)
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Refused(GessoError):
    """A request that A1111 would refuse with this status."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


def no_picture(why: str) -> Refused:
    """What A1111 answers to a picture that it can't read: status 500."""
    return Refused(HTTPStatus.INTERNAL_SERVER_ERROR, f"{BAD_PICTURE} {why}")


class SdapiRoute(APIRoute):
    """A route whose errors have A1111's shape."""

    def get_route_handler(self) -> Handler:
        """The route's handler, with its errors as answers."""
        return _with_errors_told(super().get_route_handler())


def _with_errors_told(handle: Callable[[Request], Awaitable[Response]]) -> Handler:
    async def told(request: Request) -> Response:
        try:
            return await handle(request)
        except (ValidationError, RequestValidationError) as error:
            return _invalid(error)
        except HTTPException as error:
            return _answer(error.status_code, "HTTPException", str(error.detail))
        except GessoError as error:
            return _refused(error)
        except ClientDisconnect:
            raise
        except Exception as error:  # the border: what a bug says is not for the client
            log.exception("%s failed.", request.url.path)
            name = type(error).__name__
            words = f"Something went wrong inside Gesso ({name}). The terminal says more."
            return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, name, words)

    return told


def _refused(error: GessoError) -> JSONResponse:
    if isinstance(error, Refused):
        return _answer(error.status, "HTTPException", str(error))
    if isinstance(error, UnreadablePicture):
        return _refused(no_picture(str(error)))
    field = error.field if isinstance(error, InvalidRequest) else ""
    return _answer(status_of(error), type(error).__name__, str(error), field)


def _invalid(error: ValidationError | RequestValidationError) -> JSONResponse:
    """FastAPI's own list of faults, as A1111 answers it."""
    faults = [
        {
            "loc": ["body", *(part for part in fault["loc"] if part != "body")],
            "msg": fault["msg"],
            "type": fault["type"],
        }
        for fault in error.errors()
    ]
    words = "; ".join(f"{'.'.join(map(str, f['loc'][1:]))}: {f['msg']}" for f in faults)
    return _answer(HTTPStatus.UNPROCESSABLE_ENTITY, "RequestValidationError", faults, words)


def _answer(status: int, error: str, detail: object, errors: str = "") -> JSONResponse:
    content = {"error": error, "detail": detail, "body": "", "errors": errors}
    return JSONResponse(content, int(status))
