"""Answers that stay open: how many one client may hold, and how all are ended at once."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webui.gate.refusal import Refusal, send_refusal

STREAMS_PER_CLIENT: Final = 48
"""A page holds one or two; a browser opens at most six connections to one server."""

_TOO_MANY: Final = Refusal(
    status=HTTPStatus.SERVICE_UNAVAILABLE,
    message="Too many pages of this studio are open at the same time on this machine. Close some.",
)


class Streams:
    """The open streams of a server. Used on the event loop only."""

    def __init__(self, per_client: int = STREAMS_PER_CLIENT) -> None:
        self._per_client = per_client
        self._open: dict[asyncio.Task[object], str] = {}
        self._is_closing = False

    def close(self) -> None:
        """End all streams now: the server is about to stop."""
        self._is_closing = True
        for task in self._open:
            task.cancel()

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Let `app` answer with a stream, if this client has not too many of them already."""
        client = (scope.get("client") or ("", 0))[0]
        if list(self._open.values()).count(client) >= self._per_client:
            await send_refusal(_TOO_MANY, scope, send)
            return
        task, answer = _current_task(), _Answer(send)
        self._open[task] = client
        try:
            await app(scope, receive, answer)
        except asyncio.CancelledError:
            if not self._is_closing:
                raise
        finally:
            del self._open[task]
        await answer.finish()


def _current_task() -> asyncio.Task[object]:
    """The task that answers this request: each request has one of its own."""
    task = asyncio.current_task()
    assert task is not None
    return task


class _Answer:
    """Ends an answer properly that its application left unfinished when it was cut short."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._is_open = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._is_open = True
        elif message["type"] == "http.response.body":
            self._is_open = bool(message.get("more_body", False))
        await self._send(message)

    async def finish(self) -> None:
        if self._is_open:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
