"""The newest events of this life of the server, so that a reader goes on where it was cut off."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

from webui.core.events import DownloadChanged, JobProgress, Message, PreviewReady
from webui.core.job import PersonId
from webui.jobs.bus import EventBus

MOST_KEPT: Final = 2000


class RecentEvents:
    """Keeps events from when it is made. Usable from any thread.

    An event is named by the life of the server and its number in it: `4f0c…-17`.
    """

    def __init__(self, bus: EventBus, boot: str, most: int = MOST_KEPT) -> None:
        self.bus: Final = bus
        self._boot: Final = boot
        self._most: Final = most
        self._lock: Final = threading.Lock()
        self._kept: dict[object, Message] = {}
        self._newest = 0
        self._gone = 0
        """The newest event that is not kept any more and that no newer one replaces."""
        bus.subscribe(self._keep)

    @property
    def newest(self) -> int:
        """The number of the newest event, 0 when there was none."""
        return self._newest

    def name(self, seq: int) -> str:
        """How an event is called towards its readers."""
        return f"{self._boot}-{seq}"

    def after(self, name: str, person: PersonId) -> Sequence[Message] | None:
        """What came after an event and concerns this person; None when that can't be told: it was
        of another life of the server, or too long ago."""
        boot, _, number = name.rpartition("-")
        if boot != self._boot or not number.isascii() or not number.isdigit() or len(number) > 18:
            return None
        seq = int(number)
        with self._lock:
            if not self._gone <= seq <= self._newest:
                return None
            kept = list(self._kept.values())
        return [message for message in kept if message.seq > seq and concerns(message, person)]

    def _keep(self, message: Message) -> None:
        key = replaced_by_newer(message)
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = message
            self._newest = message.seq
            if len(self._kept) > self._most:
                oldest = self._kept.pop(next(iter(self._kept)))
                self._gone = oldest.seq


def concerns(message: Message, person: PersonId) -> bool:
    """Whether a message is about somebody's own work, or about nobody's."""
    return message.owner in ("", person)


def replaced_by_newer(message: Message) -> object:
    """Equal for messages of which only the newest counts."""
    if isinstance(message.event, JobProgress | PreviewReady):
        return type(message.event), message.job_id
    if isinstance(message.event, DownloadChanged):
        return type(message.event), message.event.download_id
    return message.seq
