"""Keeps the accounts in order while the server runs, in a thread of its own."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Final

from webui.core.errors import GessoError
from webui.people.book import Book

log = logging.getLogger(__name__)

LOOK_S: Final = 2.0
"""How soon a change by another program, such as the command line, is seen."""
SWEEP_S: Final = 60.0


class Keeper:
    """Looks for changes by others, writes when sessions were last used, ends what is over."""

    def __init__(self, book: Book, sweep: Callable[[], None]) -> None:
        self._book: Final = book
        self._sweep: Final = sweep
        self._stop: Final = threading.Event()
        self._thread: Final = threading.Thread(target=self._run, name="people", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End, and wait for it."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        swept_at = -SWEEP_S
        while not self._stop.wait(LOOK_S):
            try:
                self._book.follow()
                if time.monotonic() - swept_at >= SWEEP_S:
                    swept_at = time.monotonic()
                    self._book.write_seen()
                    self._sweep()
            except (GessoError, sqlite3.Error) as error:
                # A full disk, most likely; nobody is kept out for that.
                log.warning("The accounts could not be kept in order: %s", error)
