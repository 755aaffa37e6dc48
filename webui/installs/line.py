"""How long work is followed and ended from elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from webui.core.errors import GessoError


class Stopped(GessoError):
    """The work was cancelled, or the server ends."""


class Line:
    """Between a work in its thread and those who watch it. `tell(fraction, note)` is called with
    how far it is."""

    def __init__(self, tell: Callable[[float, str], None] = lambda fraction, note: None) -> None:
        self._tell: Final = tell
        self._lock: Final = threading.Lock()
        self._stopped: Final = threading.Event()
        self._enders: Final[list[Callable[[], None]]] = []

    @property
    def is_stopped(self) -> bool:
        """Whether it was cancelled."""
        return self._stopped.is_set()

    def check(self) -> None:
        """Raises Stopped when it was cancelled."""
        if self.is_stopped:
            raise Stopped("It was cancelled.")

    def tell(self, fraction: float, note: str) -> None:
        """Say how far the work is, 0..1, and what it does. Raises Stopped."""
        self.check()
        self._tell(fraction, note)

    def stop(self) -> None:
        """Cancel the work, also where it waits for somebody else."""
        with self._lock:
            self._stopped.set()
            enders = list(self._enders)
        for end in enders:
            end()

    @contextmanager
    def ending(self, end: Callable[[], None]) -> Iterator[None]:
        """While this lasts, cancelling calls `end`, which makes the wait end. Raises Stopped."""
        with self._lock:
            self._enders.append(end)
        try:
            self.check()
            yield
        finally:
            with self._lock:
                self._enders.remove(end)
        self.check()
