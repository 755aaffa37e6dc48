"""What the gate says instead of letting a request through."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.types import Scope, Send

JSON_PATHS: Final = "/api/"
POLICY_VIOLATION: Final = 1008
"""RFC 6455, 7.4.1: closes a websocket; before it was accepted the client sees HTTP 403."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a request is not let through, in words for a person."""

    status: HTTPStatus
    message: str
    allowed: tuple[str, ...] = ()
    """The methods that would do, when it was the method that did not."""


async def send_refusal(refusal: Refusal, scope: Scope, send: Send) -> None:
    """Answer with the refusal: in the API's shape below /api/, as plain text elsewhere."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": ""})
        return
    content_type, body = b"text/plain; charset=utf-8", refusal.message
    if scope["path"].startswith(JSON_PATHS):
        content_type = b"application/json"
        body = json.dumps({"error": {"field": None, "message": refusal.message}})
    data = body.encode()
    headers = [(b"content-type", content_type), (b"content-length", str(len(data)).encode())]
    if refusal.allowed:
        headers.append((b"allow", ", ".join(refusal.allowed).encode()))
    await send({"type": "http.response.start", "status": int(refusal.status), "headers": headers})
    await send({"type": "http.response.body", "body": data})
