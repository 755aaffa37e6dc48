"""Keeps a request's body within its limit, whatever the request says about itself."""

from __future__ import annotations

from http import HTTPStatus

from starlette.types import Message, Receive, Scope, Send

from webui.gate.access import MIB
from webui.gate.origin import Headers, values
from webui.gate.refusal import Refusal, send_refusal


def check_length(headers: Headers, limit: int) -> Refusal | None:
    """Why a body of the length that its header claims is not taken; None when it may come."""
    lengths = values(headers, b"content-length")
    return _too_large(limit) if any(int(n) > limit for n in lengths if n.isdigit()) else None


class LimitedBody:
    """Passes a body on piece by piece and ends the request with 413 at the first byte too many.

    A chunked body has no length to check beforehand. At the limit the client gets its answer at
    once, and the application behind is told that the client has gone.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._limit = limit
        self._received = 0
        self._is_answered = False
        self.was_refused = False

    async def receive(self) -> Message:
        """The `receive` of the application behind."""
        if self.was_refused:
            return {"type": "http.disconnect"}
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if self._received <= self._limit:
            return message
        self.was_refused = True
        if not self._is_answered:
            await send_refusal(_too_large(self._limit), self._scope, self._send)
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """The `send` of the application behind; what it says after the refusal is dropped."""
        if not self.was_refused:
            self._is_answered = True
            await self._send(message)


def _too_large(limit: int) -> Refusal:
    return Refusal(
        status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        message=f"This is larger than {_size(limit)}, the most that is taken here. "
        "Send a smaller file.",
    )


def _size(limit: int) -> str:
    return f"{limit // MIB} MB" if limit >= MIB else f"{limit} bytes"
