"""The application as it is served, with every route of the API and of the page, and a way to ask
it without sockets: for what takes thousands of requests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Scope

from webui.api.build import ASSETS, build_api
from webui.studio import Studio
from webui.ui.build import mount_page

HOST = "localhost:7860"
DENIAL = "websocket.http.response"


@dataclass(frozen=True, kw_only=True)
class House:
    """A studio, and the application that it is served by."""

    studio: Studio
    app: FastAPI


@dataclass(frozen=True, kw_only=True)
class Said:
    """What an application answered."""

    status: int
    body: bytes


def served_app(studio: Studio) -> FastAPI:
    """The API and the page of a studio."""

    async def build() -> FastAPI:
        return mount_page(build_api(studio, ASSETS), studio)

    # Outside of a running event loop Gradio makes loops of its own and never closes them.
    return asyncio.run(build())


def scope_for(method: str, target: bytes, headers: Sequence[tuple[str, str]] = ()) -> Scope:
    """What uvicorn makes of a request; `method` WEBSOCKET is a handshake."""
    path, _, query = target.partition(b"?")
    is_socket = method == "WEBSOCKET"
    pairs = [("host", HOST), *headers]
    common = {
        "type": "websocket" if is_socket else "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "path": unquote(path.decode("latin-1")),
        "raw_path": path,
        "root_path": "",
        "query_string": query,
        "scheme": "ws" if is_socket else "http",
        "server": ("127.0.0.1", 7860),
        "client": ("127.0.0.1", 50000),
        "headers": [(name.lower().encode(), value.encode()) for name, value in pairs],
        "state": {},
    }
    if is_socket:
        return {**common, "subprotocols": [], "extensions": {DENIAL: {}}}
    return {**common, "method": method}


async def ask(
    app: ASGIApp, method: str, target: bytes, headers: Sequence[tuple[str, str]] = ()
) -> Said:
    """The answer to a request without a body. What stays open is left after its first piece."""
    sent: list[Message] = []
    is_over = asyncio.Event()
    is_first = True

    async def send(message: Message) -> None:
        sent.append(message)
        if message["type"].endswith(".body") or message["type"] == "websocket.accept":
            is_over.set()

    async def receive() -> Message:
        nonlocal is_first
        if is_first:
            is_first = False
            kind = "websocket.connect" if method == "WEBSOCKET" else "http.request"
            return {"type": kind, "body": b"", "more_body": False}
        await is_over.wait()
        kind = "websocket.disconnect" if method == "WEBSOCKET" else "http.disconnect"
        return {"type": kind, "code": 1000}

    await app(scope_for(method, target, headers), receive, send)
    statuses = [message["status"] for message in sent if message["type"].endswith(".start")]
    body = b"".join(message.get("body", b"") for message in sent)
    return Said(status=statuses[0] if statuses else 101, body=body)
