"""What the gate says instead of letting a request through, in the words its caller understands."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from starlette.types import Scope, Send

Headers = tuple[tuple[bytes, bytes], ...]

POLICY_VIOLATION: Final = 1008
"""RFC 6455, 7.4.1: closes a websocket."""
_DENIAL: Final = "websocket.http.response"
"""The ASGI extension by which a handshake is answered with a status of its own."""
BASIC: Final = (b"www-authenticate", b'Basic realm="Gesso", charset="UTF-8"')


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a request is not let through, in words for a person."""

    status: HTTPStatus
    message: str
    allowed: tuple[str, ...] = ()
    """The methods that would do, when it was the method that did not."""
    headers: Headers = ()
    """More headers of the answer, for example where to go or when to come again."""
    is_page: bool = False
    """The message is HTML, for a browser that opens a page."""
    code: str | None = None
    """A short name for programs that speak OpenAI's dialect; None takes one for the status."""


def _ours(refusal: Refusal) -> object:
    return {"error": {"field": None, "message": refusal.message}}


def _a1111(refusal: Refusal) -> object:
    return {"detail": refusal.message}


_KINDS: Final[Mapping[HTTPStatus, tuple[str, str | None]]] = MappingProxyType(
    {
        HTTPStatus.UNAUTHORIZED: ("invalid_request_error", "invalid_api_key"),
        HTTPStatus.FORBIDDEN: ("permission_error", "forbidden"),
        HTTPStatus.NOT_FOUND: ("invalid_request_error", "unknown_url"),
        HTTPStatus.TOO_MANY_REQUESTS: ("rate_limit_error", "rate_limit_exceeded"),
        HTTPStatus.SERVICE_UNAVAILABLE: ("server_error", None),
    }
)
"""OpenAI's type and code for a status."""


def _openai(refusal: Refusal) -> object:
    kind, code = _KINDS.get(refusal.status, ("invalid_request_error", None))
    code = refusal.code or code
    return {"error": {"message": refusal.message, "type": kind, "param": None, "code": code}}


_DIALECTS: Final[tuple[tuple[str, Callable[[Refusal], object]], ...]] = (
    ("/api/", _ours),
    ("/sdapi/", _a1111),
    ("/internal/", _a1111),
    ("/sd_extra_networks/", _a1111),
    ("/controlnet/", _a1111),
    ("/v1/", _openai),
)
_ASKS_FOR_A_PASSWORD: Final = ("/sdapi/", "/internal/", "/sd_extra_networks/", "/controlnet/")
"""Programs that speak A1111's dialect send name and password once they are asked for them. The
page never calls these paths, so no browser ever shows its own box for passwords."""


async def send_refusal(refusal: Refusal, scope: Scope, send: Send) -> None:
    """Answer with the refusal in the dialect of the path; as plain text where it has none."""
    content_type, data = _body(refusal, scope["path"])
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(data)).encode()),
        *refusal.headers,
        *_more_headers(refusal, scope["path"]),
    ]
    kind = "http.response"
    if scope["type"] == "websocket":
        if _DENIAL not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": ""})
            return
        kind = _DENIAL
    await send({"type": f"{kind}.start", "status": int(refusal.status), "headers": headers})
    await send({"type": f"{kind}.body", "body": data, "more_body": False})


def _body(refusal: Refusal, path: str) -> tuple[bytes, bytes]:
    """Content type and body."""
    if refusal.is_page:
        return b"text/html; charset=utf-8", refusal.message.encode()
    for prefix, dialect in _DIALECTS:
        if path.startswith(prefix):
            return b"application/json", json.dumps(dialect(refusal)).encode()
    return b"text/plain; charset=utf-8", refusal.message.encode()


def _more_headers(refusal: Refusal, path: str) -> Headers:
    found: Headers = ()
    if refusal.allowed:
        found = (*found, (b"allow", ", ".join(refusal.allowed).encode()))
    if refusal.status == HTTPStatus.UNAUTHORIZED and path.startswith(_ASKS_FOR_A_PASSWORD):
        found = (*found, BASIC)
    return found
