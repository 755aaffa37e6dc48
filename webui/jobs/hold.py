"""Waiting: for a job, for an engine, for room on the disk. One bell wakes all who wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, TypeVar

from webui.core.errors import DiskFull

RETRY_S: Final = 2.0
HELD: Final = (
    "The queue can't go on for now. Whoever runs this studio is shown why; your jobs are kept, and "
    "go on by themselves then."
)
"""For those who don't run it: reasons name folders, and what engines were at work on."""

T = TypeVar("T")


class Stopped(Exception):
    """The server is closing; whoever waits gives up what the next start will do again."""


class Hold:
    """Who waits and why. `on_change` is called with the reason why the queue can't go on, or ""
    when it can again."""

    def __init__(self, on_change: Callable[[str], None], retry_s: float = RETRY_S) -> None:
        self._on_change: Final = on_change
        self._retry_s: Final = retry_s
        self._bell: Final = threading.Condition()
        self._rings = 0
        self._is_closed = False
        self._reasons: dict[object, str] = {}

    @property
    def reason(self) -> str:
        """Why the queue waits, in words; "" when it does not."""
        with self._bell:
            return next(iter(self._reasons.values()), "")

    @property
    def is_closed(self) -> bool:
        """Whether the server is closing."""
        return self._is_closed

    @property
    def rings(self) -> int:
        """How often the bell rang; for `wait`, read before looking whether to wait."""
        return self._rings

    def wait(self, rings: int, longest_s: float | None = None) -> None:
        """Until the bell rings again since `rings`. Raises Stopped once this is closed."""
        with self._bell:
            self._bell.wait_for(lambda: self._is_closed or self._rings != rings, longest_s)
            if self._is_closed:
                raise Stopped

    def ring(self) -> None:
        """Something may have changed: let all who wait look again now."""
        with self._bell:
            self._rings += 1
            self._bell.notify_all()

    def close(self) -> None:
        """From now on nobody waits; who can't go on gets Stopped."""
        with self._bell:
            self._is_closed = True
            self._bell.notify_all()

    @property
    def is_full(self) -> bool:
        """Whether anybody waits for room on the disk."""
        with self._bell:
            return any(isinstance(waiter, _ForRoom) for waiter in self._reasons)

    def until_room(self, action: Callable[[], T]) -> T:
        """What `action` returns, tried for as long as it raises DiskFull. Raises Stopped."""
        waiter = _ForRoom()
        try:
            while True:
                rings = self.rings
                try:
                    return action()
                except DiskFull as full:
                    self.set_reason(waiter, str(full))
                self.wait(rings, self._retry_s)
        finally:
            self.set_reason(waiter, "")

    def set_reason(self, waiter: object, reason: str) -> None:
        """Say why `waiter` waits, or with "" that it does no more."""
        with self._bell:
            before = next(iter(self._reasons.values()), "")
            if reason:
                self._reasons[waiter] = reason
            else:
                self._reasons.pop(waiter, None)
            after = next(iter(self._reasons.values()), "")
        if before != after:
            self._on_change(after)
            self.ring()


def reason_for(reason: str, *, is_owner: bool) -> str:
    """A reason why the queue waits, in words for the owner or for somebody else."""
    return reason if is_owner or not reason else HELD


class _ForRoom:
    """Somebody who waits for room on the disk."""
