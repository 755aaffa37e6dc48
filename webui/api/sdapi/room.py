"""Room for the bodies of requests: pictures in base64 take several times their size while they are
read, so only so much of them is taken in at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Final

from fastapi import Request

from webui.api.sdapi.errors import Refused
from webui.gate.access import MIB

MOST_BYTES: Final = 160 * MIB
"""Of all bodies together. Each is held about five times while it is understood."""
SMALL_BYTES: Final = MIB
"""A body up to this size never waits."""
LARGEST_BYTES: Final = 128 * MIB
"""What one that doesn't tell its size may have."""
READ_S: Final = 120.0
"""So long a body may take to arrive, once it is its turn."""


class BodyRoom:
    """Used on the event loop only."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most: Final = most_bytes
        self._held = 0
        self._turn: Final = asyncio.Lock()
        """Held by whoever is next: first come, first served, so that a large body has its turn."""
        self._freed: Final = asyncio.Event()

    @contextlib.asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """A request's body, which is not read before there is room for it. Raises Refused when it
        takes too long to arrive."""
        size = _size(request)
        async with self._place(size) if size > SMALL_BYTES else contextlib.nullcontext():
            try:
                async with asyncio.timeout(READ_S):
                    data = await request.body()
            except TimeoutError as error:
                raise Refused(
                    HTTPStatus.REQUEST_TIMEOUT,
                    f"The body did not arrive within {READ_S:.0f} seconds. Send it again.",
                ) from error
            yield data

    @contextlib.asynccontextmanager
    async def _place(self, size: int) -> AsyncIterator[None]:
        async with self._turn:
            while self._held and self._held + size > self._most:
                self._freed.clear()
                await self._freed.wait()
            self._held += size
        try:
            yield
        finally:
            self._held -= size
            self._freed.set()


def _size(request: Request) -> int:
    length = request.headers.get("content-length", "")
    return int(length) if length.isdecimal() else LARGEST_BYTES
