"""Events to whoever watches: the page's event streams, tests, later extensions."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from webui.core.events import JobEvent, Message
from webui.core.job import Job

log = logging.getLogger(__name__)

Watcher = Callable[[Message], None]


class EventBus:
    """Hands each event to all watchers, in one order for all. Usable from any thread."""

    def __init__(self) -> None:
        self._lock: Final = threading.RLock()
        self._seq = 0
        self._watchers: tuple[Watcher, ...] = ()

    def publish(self, event: JobEvent, job: Job | None = None) -> Message:
        """Send an event, about `job` or about none."""
        with self._lock:
            self._seq += 1
            message = Message(
                seq=self._seq,
                job_id=job.id if job else "",
                owner=job.owner if job else "",
                event=event,
            )
            for watcher in self._watchers:
                _tell(watcher, message)
        return message

    def subscribe(self, watcher: Watcher) -> Callable[[], None]:
        """Call `watcher` with each message from now on, in whatever thread it comes from; it must
        not block. What is returned ends that."""
        with self._lock:
            self._watchers = (*self._watchers, watcher)
        return lambda: self._forget(watcher)

    def _forget(self, watcher: Watcher) -> None:
        with self._lock:
            self._watchers = tuple(other for other in self._watchers if other is not watcher)


def _tell(watcher: Watcher, message: Message) -> None:
    try:
        watcher(message)
    except Exception:  # a broken watcher must not stop a job; its page loads the state anew
        log.exception("A watcher of events failed at %s.", type(message.event).__name__)
