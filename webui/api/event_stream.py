"""The server's events for one reader, as server-sent events. Nothing here waits for a reader.

Events come from any thread and are put into the reader's own feed. A reader that is slow gets
only the newest progress and preview of each job; one that falls behind with what can't be left
out is cut off, and finds the whole state again when it comes back.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from typing import Final

from starlette.concurrency import run_in_threadpool

from webui.core.codec import encode, to_json
from webui.core.events import DownloadChanged, JobProgress, Message, PreviewReady
from webui.core.job import PersonId
from webui.jobs.bus import EventBus

HEARTBEAT_S: Final = 15.0
RETRY_MS: Final = 1000
"""How long a browser waits before it connects again."""
MOST_WAITING: Final = 1000


async def event_stream(
    bus: EventBus,
    read_state: Callable[[], str],
    person: PersonId,
    heartbeat_s: float = HEARTBEAT_S,
) -> AsyncIterator[str]:
    """First the state, then each event that concerns `person`, until the reader goes.

    `read_state` gives the state as JSON and may block.
    """
    feed = Feed(asyncio.get_running_loop())

    def watch(message: Message) -> None:
        if message.owner in ("", person):
            feed.offer(message)

    forget = bus.subscribe(watch)
    try:
        yield f"retry: {RETRY_MS}\nevent: state\ndata: {await run_in_threadpool(read_state)}\n\n"
        while (messages := await feed.take(heartbeat_s)) is not None:
            yield "".join(map(as_event, messages)) or ": still here\n\n"
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
        key = _key(message)
        self._waiting.pop(key, None)
        self._waiting[key] = message
        if len(self._waiting) > MOST_WAITING:
            self._is_hopeless = True
            self._waiting.clear()
        self._has_come.set()


def as_event(message: Message) -> str:
    """A message in the form of the event stream."""
    kind = re.sub(r"(?<!^)(?=[A-Z])", "_", type(message.event).__name__).lower()
    fields = to_json({"job_id": message.job_id, **encode(message.event)})
    return f"id: {message.seq}\nevent: {kind}\ndata: {fields}\n\n"


def _key(message: Message) -> object:
    """Equal for messages of which only the newest counts."""
    if isinstance(message.event, JobProgress | PreviewReady):
        return type(message.event), message.job_id
    if isinstance(message.event, DownloadChanged):
        return type(message.event), message.event.download_id
    return message.seq
