"""Extensions that were removed: kept for a month, and brought back by one call."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from webui.core.codec import from_json, to_json
from webui.core.errors import InvalidRequest, NotFound
from webui.core.files import write_atomic
from webui.installs.lockfile import Entry
from webui.installs.trees import is_link, move_tree, remove_tree

log = logging.getLogger(__name__)

KEPT_DAYS: Final = 30
NOTE: Final = "removed.json"


@dataclass(frozen=True, kw_only=True)
class Removed:
    """A removed extension."""

    id: str
    entry: Entry
    removed_at: float


@dataclass(frozen=True, kw_only=True)
class Trash:
    """Removed extensions in a folder, each in one of its own with a note."""

    folder: Path

    def put(self, entry: Entry, tree: Path) -> Removed:
        """Take a tree out of its place. Raises OSError."""
        removed = Removed(id=secrets.token_hex(6), entry=entry, removed_at=time.time())
        home = self.folder / removed.id
        home.mkdir(parents=True)
        write_atomic(home / NOTE, to_json(removed).encode())
        if is_link(tree):
            remove_tree(tree)
        elif tree.exists():
            move_tree(tree, home / entry.folder)
        return removed

    def all(self) -> list[Removed]:
        """The removed ones, the newest first."""
        return sorted(self._read(), key=lambda removed: -removed.removed_at)

    def get(self, id: str) -> Removed:
        """One of them. Raises NotFound."""
        for removed in self._read():
            if removed.id == id:
                return removed
        raise NotFound("removed extension", id)

    def tree(self, removed: Removed) -> Path:
        """Where its files are; gone for a link."""
        return self.folder / removed.id / removed.entry.folder

    def forget(self, id: str) -> None:
        """Remove one for good. Raises NotFound, OSError."""
        remove_tree(self.folder / self.get(id).id)

    def tidy(self, now: float) -> None:
        """Remove for good what has lain here for a month."""
        for removed in self._read():
            if now - removed.removed_at > KEPT_DAYS * 86400:
                with suppress(OSError):
                    remove_tree(self.folder / removed.id)

    def _read(self) -> Iterator[Removed]:
        for note in self.folder.glob(f"*/{NOTE}"):
            try:
                yield from_json(Removed, note.read_bytes())
            except (OSError, InvalidRequest) as error:
                log.warning("%s can't be read: %s", note, error)
