"""Stands at "/" for the page, so that it can be changed for another one while the server runs.

Pages that were loaded before go on to the one that they came from: each event names its function,
and no two pages have functions of the same number.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Container, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs

import gradio as gr
from fastapi import FastAPI
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webui.gate.additions import Additions
from webui.gate.audit import Table

log = logging.getLogger(__name__)

KEPT_S: Final = 3600.0
"""So long after its last event a page that was changed for another one goes on."""
MOST_KEPT: Final = 5
MOST_SESSIONS: Final = 10_000
EVENTS: Final = ("/run/", "/queue/join", "/component_server", "/cancel", "/reset")
"""Ends of the addresses that a page posts its events to."""
STREAMS: Final = ("/queue/data", "/heartbeat/")
API: Final = "/gradio_api"
_FORM_FIELD: Final = re.compile(rb'name="component_id"\r\n\r\n(\d+)')
_GONE: Final = "This page is from before the extensions were changed. Reload it."


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where an event comes from: the number of its function, or of a component."""

    id: int
    is_function: bool


class Served:
    """One page as it is served: what Gradio made of it, and when it was last used."""

    def __init__(self, shell: FastAPI, blocks: gr.Blocks, table: Table) -> None:
        """`shell` has the page mounted at "/"; `table` decides on its routes."""
        self.shell: Final = shell
        self.blocks: Final = blocks
        self.table: Final = table
        self.used_at = time.monotonic()
        self.requests = 0
        self._is_over: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None

    def made(self, origin: Origin) -> bool:
        """Whether an event came from it."""
        own: Container[int] = self.blocks.fns if origin.is_function else self.blocks.blocks
        return origin.id in own

    async def begin(self) -> None:
        """Start what runs beside it: its queue, and the cleaning of its files."""
        self._is_over = asyncio.Event()
        begun = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._live(self._is_over, begun))
        await begun

    async def end(self) -> None:
        """Stop that; requests in progress go on."""
        if self._is_over is not None and self._task is not None:
            self._is_over.set()
            await self._task

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        self.requests += 1
        try:
            await self.shell(scope, receive, send)
        finally:
            self.requests -= 1
            self.used_at = time.monotonic()

    async def _live(self, is_over: asyncio.Event, begun: asyncio.Future[None]) -> None:
        """In one task from beginning to end, as its context managers ask."""
        try:
            async with self.shell.router.lifespan_context(self.shell):
                begun.set_result(None)
                await is_over.wait()
        except Exception as error:
            if begun.done():
                log.exception("A page could not be ended in order.")
            else:
                begun.set_exception(error)


class PageHolder:
    """The page at "/", and those that open windows still show."""

    def __init__(self, page: Served, additions: Additions) -> None:
        """`additions` answer what the page does not know."""
        self._now = page
        self._before: list[Served] = []
        self._sessions: OrderedDict[str, Served] = OrderedDict()
        self._additions: Final = additions
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """Those of the page, for the audit."""
        return self._now.shell.routes

    @property
    def page(self) -> Served:
        """What a window gets that is opened now."""
        return self._now

    @asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        """Around the life of the server."""
        self._loop = asyncio.get_running_loop()
        await self._now.begin()
        try:
            yield
        finally:
            self._loop = None
            for page in (self._now, *self._before):
                await page.end()

    def swap(self, page: Served) -> None:
        """Hand out this page from now on. Waits until it runs; not to be called from the loop."""
        if self._loop is None:  # not served yet
            self._now = page
            return
        asyncio.run_coroutine_threadsafe(self._swap(page), self._loop).result()

    async def _swap(self, page: Served) -> None:
        await page.begin()
        self._before.append(self._now)
        self._now = page
        await self._let_go()
        asyncio.get_running_loop().call_later(KEPT_S + 1, self._let_go_later)

    def _let_go_later(self) -> None:
        if self._loop is not None:
            self._cleaning = asyncio.create_task(self._let_go())

    async def _let_go(self) -> None:
        """Forget pages that nobody uses, and the oldest of too many."""
        oldest = time.monotonic() - KEPT_S
        kept = [page for page in self._before if page.requests or page.used_at > oldest]
        gone = [page for page in self._before if page not in kept[-MOST_KEPT:]]
        self._before = kept[-MOST_KEPT:]
        for session in [key for key, page in self._sessions.items() if page in gone]:
            del self._sessions[session]
        for page in gone:
            await page.end()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        app: ASGIApp = self._now
        if not self._now.table.knows(scope["path"]) and self._additions.takes(scope):
            app = self._additions
        elif scope["path"].startswith(API):
            app, receive = await self._page_of(scope, receive)
        await app(scope, receive, send)

    async def _page_of(self, scope: Scope, receive: Receive) -> tuple[ASGIApp, Receive]:
        """The page that a request comes from, or what says that it is gone."""
        path: str = scope["path"].removeprefix(API)
        if path.startswith(STREAMS):
            return self._sessions.get(_session(scope, path), self._now), receive
        if scope.get("method") != "POST" or not path.startswith(EVENTS):
            return self._now, receive
        body, receive = await _read(receive)
        origin, session = _named(body)
        if origin is None:
            return self._sessions.get(session, self._now), receive
        page = next((each for each in (self._now, *self._before) if each.made(origin)), None)
        if page is None:
            return JSONResponse({"detail": _GONE}, HTTPStatus.CONFLICT), receive
        self._remember(session, page)
        return page, receive

    def _remember(self, session: str, page: Served) -> None:
        self._sessions[session] = page
        self._sessions.move_to_end(session)
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)


def _session(scope: Scope, path: str) -> str:
    """The window that a stream is for."""
    if path.startswith("/heartbeat/"):
        return path.removeprefix("/heartbeat/")
    query: bytes = scope["query_string"]
    return parse_qs(query.decode("latin-1")).get("session_hash", [""])[0]


def _named(body: bytes) -> tuple[Origin | None, str]:
    """What an event is for, and its window; None and "" where it doesn't say."""
    if found := _FORM_FIELD.search(body):
        return Origin(id=int(found[1]), is_function=False), ""
    try:
        said: Any = json.loads(body)
    except ValueError:
        return None, ""
    if not isinstance(said, dict):
        return None, ""
    session = str(said.get("session_hash") or "")
    for key in ("fn_index", "component_id"):
        if isinstance(id := said.get(key), int):
            return Origin(id=id, is_function=key == "fn_index"), session
    return None, session


async def _read(receive: Receive) -> tuple[bytes, Receive]:
    """The whole body of a request, and what gives it to the application once more."""
    messages: list[Message] = []
    while True:
        messages.append(await receive())
        if messages[-1]["type"] != "http.request" or not messages[-1].get("more_body"):
            break
    body = b"".join(message.get("body", b"") for message in messages)

    async def again() -> Message:
        return messages.pop(0) if messages else await receive()

    return body, again
