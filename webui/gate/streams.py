"""Answers that stay open, websockets included: how many anybody may hold, and how they are ended.

They are ended all at once when the server stops, and those of a credential when it is revoked. A
credential can also run out while its stream is open, so who asks is asked again now and then.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webui.core.person import CALLER, Caller
from webui.gate.refusal import POLICY_VIOLATION, Refusal, send_refusal

log = logging.getLogger(__name__)

SERVICE_RESTART: Final = 1012
"""RFC 6455 and its registry: the server stops; the client may come again."""

Welcome = Callable[[], Awaitable[bool]]
"""Whether the one who opened a stream may still have it."""


@dataclass(frozen=True, kw_only=True)
class StreamLimits:
    """How many streams may be open at the same time."""

    per_person: int = 48
    """A page holds one or two; a browser opens at most six connections to one server."""
    per_address: int = 1024
    """A whole office may stand behind one address, and it is people who are limited: somebody
    without an account opens no stream at all."""
    total: int = 2048
    recheck_s: float = 60.0
    """How often it is asked whether those who listen still may."""


def _too_many(what: str) -> Refusal:
    return Refusal(
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        message=f"Too many pages of this studio are open at the same time {what}. Close some.",
        headers=((b"retry-after", b"10"),),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Stream:
    task: asyncio.Task[object]
    person: str
    address: str
    credential: str
    is_welcome: Welcome


class Streams:
    """The open streams of a server. Used on the event loop only, but for `end`."""

    def __init__(self, limits: StreamLimits | None = None) -> None:
        self._limits = limits or StreamLimits()
        self._open: dict[asyncio.Task[object], _Stream] = {}
        self._ended: set[asyncio.Task[object]] = set()
        self._people: Counter[str] = Counter()
        self._addresses: Counter[str] = Counter()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rechecks: asyncio.Task[None] | None = None
        self._is_closing = False

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self._open)

    def close(self) -> None:
        """End all streams now: the server is about to stop."""
        self._is_closing = True
        if self._rechecks is not None:
            self._rechecks.cancel()
        for stream in self._open.values():
            self._cut(stream)

    def end(self, credential: str) -> None:
        """End the streams that were opened with a credential. May be called from any thread."""
        if self._loop is not None and credential:
            with contextlib.suppress(RuntimeError):  # the loop is closed: so are the streams
                self._loop.call_soon_threadsafe(self._end, credential)

    async def run(
        self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, is_welcome: Welcome
    ) -> None:
        """Let `app` answer with a stream, if there are not too many of them already."""
        stream = _described(scope, is_welcome)
        if (refusal := self._refusal(stream)) is not None:
            await send_refusal(refusal, scope, send)
            return
        answer = (_Conversation if scope["type"] == "websocket" else _Answer)(send)
        self._enter(stream)
        try:
            await app(scope, receive, answer)
        except asyncio.CancelledError:
            if stream.task not in self._ended:
                raise
            stream.task.uncancel()
        finally:
            self._leave(stream)
        await answer.finish(SERVICE_RESTART if self._is_closing else POLICY_VIOLATION)

    def _refusal(self, stream: _Stream) -> Refusal | None:
        if self._people[stream.person] >= self._limits.per_person:
            return _too_many("for one person")
        if self._addresses[stream.address] >= self._limits.per_address:
            return _too_many("at your address")
        return _too_many("on this server") if len(self._open) >= self._limits.total else None

    def _enter(self, stream: _Stream) -> None:
        self._open[stream.task] = stream
        self._people[stream.person] += 1
        self._addresses[stream.address] += 1
        if self._rechecks is None:
            self._loop = asyncio.get_running_loop()
            self._rechecks = self._loop.create_task(self._recheck())

    def _leave(self, stream: _Stream) -> None:
        del self._open[stream.task]
        self._ended.discard(stream.task)
        for counts, key in ((self._people, stream.person), (self._addresses, stream.address)):
            counts[key] -= 1
            if not counts[key]:
                del counts[key]

    def _end(self, credential: str) -> None:
        for stream in list(self._open.values()):
            if stream.credential == credential:
                self._cut(stream)

    def _cut(self, stream: _Stream) -> None:
        self._ended.add(stream.task)
        stream.task.cancel()

    async def _recheck(self) -> None:
        while True:
            await asyncio.sleep(self._limits.recheck_s)
            for stream in list(self._open.values()):
                try:
                    is_welcome = await stream.is_welcome()
                except Exception:  # one that can't be asked about must not keep the others
                    log.exception("It could not be checked who listens to a stream.")
                    is_welcome = False
                if not is_welcome and stream.task in self._open:
                    self._cut(stream)


def _described(scope: Scope, is_welcome: Welcome) -> _Stream:
    """The stream of the request that this task answers: each request has a task of its own."""
    task, caller = asyncio.current_task(), scope.get(CALLER)
    assert task is not None
    return _Stream(
        task=task,
        person=caller.id if isinstance(caller, Caller) else "",
        address=(scope.get("client") or ("", 0))[0],
        credential=caller.credential if isinstance(caller, Caller) else "",
        is_welcome=is_welcome,
    )


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

    async def finish(self, code: int) -> None:
        """Send the end that is missing."""
        if self._is_open:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})


class _Conversation:
    """The same for a websocket: closes one that its application left open."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._is_open = True

    async def __call__(self, message: Message) -> None:
        if message["type"] in ("websocket.close", "websocket.http.response.body"):
            self._is_open = False
        await self._send(message)

    async def finish(self, code: int) -> None:
        """Close it, saying why."""
        if self._is_open:
            with contextlib.suppress(RuntimeError, OSError):  # the client has gone meanwhile
                await self._send({"type": "websocket.close", "code": code, "reason": ""})
