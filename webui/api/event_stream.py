"""The server's events for one reader, by server-sent events or a websocket. Nothing here waits for
a reader.

Events come from any thread and are put into the reader's own feed. A reader that is slow gets
only the newest progress and preview of each job; one that falls behind with what can't be left
out is cut off. When it comes back and names the last event it saw, it gets what it missed, or,
where that is too long ago, the whole state again.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from starlette.concurrency import run_in_threadpool

from webui.api.recent import RecentEvents, concerns, replaced_by_newer
from webui.core.codec import encode, to_json
from webui.core.events import Message, Waiting
from webui.core.job import PersonId
from webui.core.person import Role
from webui.jobs.hold import reason_for

HEARTBEAT_S: Final = 15.0
RETRY_MS: Final = 1000
"""How long a browser waits before it connects again."""
MOST_WAITING: Final = 1000
STATE: Final = "state"
RESUMED: Final = "resumed"


@dataclass(frozen=True, kw_only=True)
class Told:
    """One event on its way out; `data` is JSON."""

    id: str
    kind: str
    data: str

    def as_text(self) -> str:
        """In the form of server-sent events."""
        return f"id: {self.id}\nevent: {self.kind}\ndata: {self.data}\n\n"

    def as_json(self) -> str:
        """In the form of a websocket's message."""
        return f'{{"id":"{self.id}","event":"{self.kind}","data":{self.data}}}'


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Who reads. `read_state` gives the state as JSON and may block; `last_seen` is the id of the
    last event that they saw, "" when they come for the first time."""

    person: PersonId
    role: Role
    read_state: Callable[[], str]
    last_seen: str = ""
    heartbeat_s: float = HEARTBEAT_S


async def event_stream(recent: RecentEvents, reader: Reader) -> AsyncIterator[str]:
    """The events as text of server-sent events, until the reader goes or is too far behind."""
    async with contextlib.aclosing(news(recent, reader)) as batches:
        yield f"retry: {RETRY_MS}\n"
        async for batch in batches:
            yield "".join(told.as_text() for told in batch) or ": still here\n\n"


async def news(recent: RecentEvents, reader: Reader) -> AsyncGenerator[Sequence[Told]]:
    """First `state` or, for one who comes back in time, `resumed` and what was missed; then each
    event that concerns the reader. An empty batch now and then shows that all is well."""
    feed = Feed(asyncio.get_running_loop())

    def watch(message: Message) -> None:
        if concerns(message, reader.person, reader.role):
            feed.offer(message)

    forget = recent.bus.subscribe(watch)
    try:
        newest = recent.newest
        missed = recent.after(reader.last_seen, reader.person, reader.role)
        if missed is None:
            state = await run_in_threadpool(reader.read_state)
            yield [Told(id=recent.name(newest), kind=STATE, data=state)]
        else:
            start = Told(id=reader.last_seen, kind=RESUMED, data="{}")
            newest = missed[-1].seq if missed else newest
            yield [start, *(_told(recent, message, reader) for message in missed)]
        while (messages := await feed.take(reader.heartbeat_s)) is not None:
            yield [_told(recent, message, reader) for message in messages if message.seq > newest]
    finally:
        forget()


class Feed:
    """Messages on their way to one reader. `offer` may be called from any thread, the rest only
    on the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: dict[object, Message] = {}
        self._has_come = asyncio.Event()
        self._is_hopeless = False

    def offer(self, message: Message) -> None:
        """Hand over a message; never blocks."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the server has stopped
            self._loop.call_soon_threadsafe(self._put, message)

    async def take(self, seconds: float) -> list[Message] | None:
        """What has come, waiting at most so long for it; None when the reader is too far behind."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._has_come.wait(), seconds)
        if self._is_hopeless:
            return None
        taken = list(self._waiting.values())
        self._waiting.clear()
        self._has_come.clear()
        return taken

    def _put(self, message: Message) -> None:
        key = replaced_by_newer(message)
        self._waiting.pop(key, None)
        self._waiting[key] = message
        if len(self._waiting) > MOST_WAITING:
            self._is_hopeless = True
            self._waiting.clear()
        self._has_come.set()


def _told(recent: RecentEvents, message: Message, reader: Reader) -> Told:
    event = message.event
    if isinstance(event, Waiting):
        is_owner = reader.role.covers(Role.OWNER)
        event = replace(event, reason=reason_for(event.reason, is_owner=is_owner))
    kind = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
    data = to_json({"job_id": message.job_id, **encode(event)})
    return Told(id=recent.name(message.seq), kind=kind, data=data)
