"""A time by which something must have happened on a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Deadline:
    """Calls `on_expiry` unless it is stopped in time. Starting it again does not extend it."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, seconds: float, on_expiry: Callable[[], None]
    ) -> None:
        self._loop, self._seconds, self._on_expiry = loop, seconds, on_expiry
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """From now on the time runs, if it does not run already."""
        if self._handle is None:
            self._handle = self._loop.call_later(self._seconds, self._expire)

    def stop(self) -> None:
        """It has happened."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def run_while(self, is_due: bool) -> None:
        """Start while it is waited for, stop when it is not."""
        if is_due:
            self.start()
        else:
            self.stop()

    def _expire(self) -> None:
        self._handle = None
        self._on_expiry()
