"""What went wrong, in the shape that OpenAI's clients read.

{"error": {"message": ..., "type": ..., "param": ..., "code": ...}}
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from webui.api.errors import status_of
from webui.core.codec import encode
from webui.core.errors import GessoError, InvalidRequest, UnreadablePicture

log = logging.getLogger(__name__)

INVALID: Final = "invalid_request_error"
SERVER: Final = "server_error"
CODES: Final[Mapping[int, str]] = MappingProxyType(
    {
        401: "invalid_api_key",
        403: "forbidden",
        404: "not_found",
        413: "request_too_large",
        429: "rate_limit_exceeded",
        507: "disk_full",
    }
)
KINDS: Final[Mapping[int, str]] = MappingProxyType(
    {403: "permission_error", 429: "rate_limit_error"}
)
PARAMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "checkpoint": "model",
        "width": "size",
        "height": "size",
        "batch_size": "n",
        "batch_count": "n",
        "source.image": "image",
        "source.denoising_strength": "denoising_strength",
        "mask.image": "mask",
        "sampling.steps": "steps",
        "sampling.guidance_scale": "guidance_scale",
    }
)
"""Our fields by the names that they have in this API."""
NO_RETRY: Final[Mapping[str, str]] = MappingProxyType({"x-should-retry": "false"})
"""The official library tries twice more after a fault of the server; a job that failed fails."""


@dataclass(frozen=True, kw_only=True)
class OpenAIFault:
    """What was wrong. `param` names the parameter at fault."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


BUG: Final = OpenAIFault(
    message="Something went wrong inside Gesso. The terminal says more.",
    type=SERVER,
    code="internal_error",
)


@dataclass(frozen=True, kw_only=True)
class OpenAIError:
    """Every error of this API."""

    error: OpenAIFault


class Refused(GessoError):
    """A request that ends with this very answer."""

    def __init__(self, status: HTTPStatus, fault: OpenAIFault) -> None:
        super().__init__(fault.message)
        self.status: Final = status
        self.fault: Final = fault


class OpenAIRoute(APIRoute):
    """A route whose errors are answered in OpenAI's shape."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with its errors caught."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except GessoError as error:
                return error_answer(error)
            except ClientDisconnect:
                raise  # the gate knows why
            except HTTPException as error:
                fault = OpenAIFault(message=str(error.detail), type=INVALID, code="bad_request")
                return _answered(HTTPStatus(error.status_code), fault, {})
            except Exception:  # the last border of this API: its clients read its shape only
                log.exception("%s failed.", request.url.path)
                return _answered(HTTPStatus.INTERNAL_SERVER_ERROR, BUG, dict(NO_RETRY))

        return answer


def invalid(param: str | None, message: str, code: str = "invalid_value") -> Refused:
    """A parameter that can't be used, to be raised."""
    fault = OpenAIFault(message=message, type=INVALID, param=param, code=code)
    return Refused(HTTPStatus.BAD_REQUEST, fault)


def no_model(error: InvalidRequest, status: HTTPStatus) -> Refused:
    """A model that is not here, to be raised. Where pictures are made that is no 404: programs take
    one for a server that has no such address."""
    fault = OpenAIFault(message=str(error), type=INVALID, param="model", code="model_not_found")
    return Refused(status, fault)


def failed(reason: str) -> Refused:
    """A job that ended without its pictures, to be raised."""
    message = f"The pictures could not be made. {reason}"
    fault = OpenAIFault(message=message, type=SERVER, code="image_generation_failed")
    return Refused(HTTPStatus.INTERNAL_SERVER_ERROR, fault)


def error_answer(error: GessoError) -> JSONResponse:
    """The answer to an error of ours."""
    status, fault = told(error)
    headers = dict(NO_RETRY) if status >= HTTPStatus.INTERNAL_SERVER_ERROR else {}
    if (wait_s := getattr(error, "retry_after_s", None)) is not None:
        headers["Retry-After"] = f"{max(1, round(wait_s))}"
    return _answered(status, fault, headers)


def _answered(status: HTTPStatus, fault: OpenAIFault, headers: dict[str, str]) -> JSONResponse:
    return JSONResponse(encode(OpenAIError(error=fault)), int(status), headers=headers)


def told(error: GessoError) -> tuple[HTTPStatus, OpenAIFault]:
    """An error of ours as a status and in the words of this API."""
    if isinstance(error, Refused):
        return error.status, error.fault
    if isinstance(error, InvalidRequest) and error.field == "checkpoint":
        return told(no_model(error, HTTPStatus.BAD_REQUEST))
    status = status_of(error)
    if isinstance(error, InvalidRequest | UnreadablePicture) and status < 429:
        field = error.field if isinstance(error, InvalidRequest) else "image"
        return HTTPStatus.BAD_REQUEST, OpenAIFault(
            message=str(error),
            type=INVALID,
            param=PARAMS.get(field, field) or None,
            code="invalid_value" if isinstance(error, InvalidRequest) else "invalid_image_file",
        )
    kind = SERVER if status >= HTTPStatus.INTERNAL_SERVER_ERROR else INVALID
    kind = KINDS.get(int(status), kind)
    return status, OpenAIFault(message=str(error), type=kind, code=CODES.get(int(status)))
