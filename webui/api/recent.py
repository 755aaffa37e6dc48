"""The newest events of this life of the server, so that a reader goes on where it was cut off."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from webui.core.events import (
    DownloadChanged,
    ExtensionsChanged,
    InstallChanged,
    JobProgress,
    Message,
    PreviewReady,
)
from webui.core.job import PersonId
from webui.core.person import Role
from webui.jobs.bus import EventBus

MOST_KEPT: Final = 2000
SEALED_BYTES: Final = 16


class RecentEvents:
    """Keeps events from when it is made. Usable from any thread.

    An event is named by the life of the server and its number in it. The number is sealed: it
    counts everybody's events, and readers are not to learn how much others do.
    """

    def __init__(self, bus: EventBus, boot: str, most: int = MOST_KEPT) -> None:
        self.bus: Final = bus
        self._boot: Final = boot
        # One block for each number and none twice: what other modes are for does not come up.
        self._seal: Final = Cipher(AES(secrets.token_bytes(SEALED_BYTES)), ECB())
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
        return f"{self._boot}-{self._sealed(seq)}"

    def after(
        self, name: str, person: PersonId, role: Role = Role.VIEWER
    ) -> Sequence[Message] | None:
        """What came after an event and concerns this person; None when that can't be told: it was
        of another life of the server, or too long ago."""
        seq = self._number(name)
        with self._lock:
            if seq is None or not self._gone <= seq <= self._newest:
                return None
            kept = list(self._kept.values())
        return [m for m in kept if m.seq > seq and concerns(m, person, role)]

    def _sealed(self, seq: int) -> str:
        return self._seal.encryptor().update(seq.to_bytes(SEALED_BYTES, "big")).hex()

    def _number(self, name: str) -> int | None:
        """The number of an event; None when this is no name of one."""
        boot, _, sealed = name.rpartition("-")
        try:
            block = bytes.fromhex(sealed)
        except ValueError:
            return None
        if boot != self._boot or len(block) != SEALED_BYTES:
            return None
        return int.from_bytes(self._seal.decryptor().update(block), "big")

    def _keep(self, message: Message) -> None:
        key = replaced_by_newer(message)
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = message
            self._newest = message.seq
            if len(self._kept) > self._most:
                oldest = self._kept.pop(next(iter(self._kept)))
                self._gone = oldest.seq


def concerns(message: Message, person: PersonId, role: Role) -> bool:
    """Whether a message is about somebody's own work, or about nobody's; downloads, and what
    becomes of extensions beside the page, are the owner's business."""
    is_owners = isinstance(message.event, DownloadChanged | InstallChanged) or (
        isinstance(message.event, ExtensionsChanged) and not message.event.is_page
    )
    if is_owners and not role.covers(Role.OWNER):
        return False
    return message.owner in ("", person)


def replaced_by_newer(message: Message) -> object:
    """Equal for messages of which only the newest counts."""
    if isinstance(message.event, JobProgress | PreviewReady):
        return type(message.event), message.job_id
    if isinstance(message.event, DownloadChanged):
        return type(message.event), message.event.download_id
    if isinstance(message.event, InstallChanged):
        return type(message.event), message.event.task_id
    return message.seq
