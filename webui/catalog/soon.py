"""An action that is done in the background, again for as long as somebody asks for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)


class Soon:
    """Runs an action in a thread of its own, one run at a time. Usable from any thread."""

    def __init__(self, action: Callable[[], None], name: str) -> None:
        """`name` is the thread's."""
        self._action: Final = action
        self._name: Final = name
        self._changed: Final = threading.Condition()
        self._asked = self._done = 0
        self._thread: threading.Thread | None = None

    def ask(self) -> int:
        """Have a run that begins after now; many who ask while one runs share the next. A ticket
        to wait with."""
        with self._changed:
            self._asked += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            return self._asked

    def wait(self, ticket: int, patience_s: float | None = None) -> bool:
        """Wait for the run of a ticket; whether it is over."""
        with self._changed:
            return self._changed.wait_for(lambda: self._done >= ticket, patience_s)

    def settle(self, patience_s: float | None = None) -> bool:
        """Wait until nothing runs; whether it is so."""
        with self._changed:
            return self._changed.wait_for(lambda: self._thread is None, patience_s)

    @property
    def is_running(self) -> bool:
        """Whether a run has been asked for and is not over."""
        return self._thread is not None

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._asked == self._done:
                    self._thread = None
                    self._changed.notify_all()
                    return
                aim = self._asked
            try:
                self._action()
            except Exception:  # whoever waits must not wait for ever
                log.exception("Something failed in the background (%s).", self._name)
            with self._changed:
                self._done = aim
                self._changed.notify_all()
