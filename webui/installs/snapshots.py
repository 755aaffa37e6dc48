"""The whole set of extensions as it was at some time, to go back to."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from webui.core.codec import from_json, to_json
from webui.core.errors import InvalidRequest, NotFound
from webui.core.files import write_atomic
from webui.installs.lockfile import Entry

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What was installed at a time, and what of it was on."""

    id: str
    name: str
    made_at: float
    entries: tuple[Entry, ...]
    enabled: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Snapshots:
    """Snapshots, a file each, in a folder."""

    folder: Path

    def save(self, name: str, entries: Sequence[Entry], enabled: Sequence[str]) -> Snapshot:
        """Keep a set under a name. Raises OSError."""
        snapshot = Snapshot(
            id=secrets.token_hex(6),
            name=name.strip() or time.strftime("%Y-%m-%d %H:%M"),
            made_at=time.time(),
            entries=tuple(entries),
            enabled=tuple(sorted(enabled)),
        )
        write_atomic(self.folder / f"{snapshot.id}.json", to_json(snapshot).encode())
        return snapshot

    def all(self) -> list[Snapshot]:
        """All of them, the newest first."""
        return sorted(self._read(), key=lambda snapshot: -snapshot.made_at)

    def get(self, id: str) -> Snapshot:
        """One of them. Raises NotFound."""
        for snapshot in self._read():
            if snapshot.id == id:
                return snapshot
        raise NotFound("snapshot of the extensions", id)

    def remove(self, id: str) -> None:
        """Forget one. Raises NotFound."""
        (self.folder / f"{self.get(id).id}.json").unlink(missing_ok=True)

    def _read(self) -> Iterator[Snapshot]:
        for file in self.folder.glob("*.json"):
            try:
                yield from_json(Snapshot, file.read_bytes())
            except (OSError, InvalidRequest) as error:
                log.warning("%s can't be read: %s", file, error)
