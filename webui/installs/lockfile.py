"""extensions.lock: what is installed, from where, exactly which state, and the one before."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from webui.core.codec import from_json, to_json
from webui.core.errors import InvalidRequest, NotFound
from webui.core.files import write_atomic
from webui.installs.source import Source

log = logging.getLogger(__name__)

FILE: Final = "extensions.lock"


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What an extension asks of packages, and which of that its owner left out: names of packages
    ("pillow"), of extras ("dynamicprompts[magicprompt]")."""

    requirements: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    is_worker: bool = False
    """Whether they are for a process of its own, apart from all others."""


@dataclass(frozen=True, kw_only=True)
class Version:
    """One state of an extension. `kept` is where its files lie while it is not the one in use,
    a name in the folder of versions."""

    source: Source
    version: str
    tree_sha256: str
    installed_at: float
    needs: Needs = field(default_factory=Needs)
    grants: str = ""
    """What the owner agreed to, see Review.grants."""
    kept: str = ""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An installed extension. `folder` is its name in the extensions folder."""

    id: str
    name: str
    folder: str
    now: Version
    previous: Version | None = None
    """The state before, which one click brings back; None at first."""
    newest_commit: str = ""
    """What its source had when it was last asked."""
    checked_at: float | None = None

    @property
    def has_update(self) -> bool:
        """Whether its source had something else than what is here."""
        return bool(self.newest_commit) and self.newest_commit != self.now.source.commit


@dataclass(frozen=True, kw_only=True)
class Lock:
    """All of extensions.lock. `packages` names the set of packages that they share."""

    entries: tuple[Entry, ...] = ()
    packages: str = ""
    previous_packages: str = ""


class LockFile:
    """extensions.lock in a folder. Usable from any thread."""

    def __init__(self, folder: Path) -> None:
        self.path: Final = folder / FILE
        self._lock: Final = threading.RLock()
        self._now = self._read()

    @property
    def now(self) -> Lock:
        """What stands in it."""
        return self._now

    def get(self, id: str) -> Entry:
        """One extension. Raises NotFound."""
        for entry in self._now.entries:
            if entry.id == id:
                return entry
        raise NotFound("installed extension", id)

    def find(self, id: str) -> Entry | None:
        """One extension; None if it was not installed by us."""
        return next((entry for entry in self._now.entries if entry.id == id), None)

    def edit(self, change: Callable[[Lock], Lock]) -> Lock:
        """Change it, all at once. Raises OSError; then nothing is changed."""
        with self._lock:
            changed = change(self._now)
            write_atomic(self.path, to_json(changed).encode())
            self._now = changed
            return changed

    def put(self, entry: Entry) -> None:
        """Keep one extension's new state, in its place or at the end."""

        def change(lock: Lock) -> Lock:
            rows: Mapping[str, Entry] = {each.id: each for each in lock.entries} | {entry.id: entry}
            return replace(lock, entries=tuple(rows.values()))

        self.edit(change)

    def remove(self, id: str) -> None:
        """Forget one extension."""
        self.edit(lambda k: replace(k, entries=tuple(e for e in k.entries if e.id != id)))

    def _read(self) -> Lock:
        if not self.path.exists():
            return Lock()
        try:
            return from_json(Lock, self.path.read_bytes())
        except (OSError, ValueError, InvalidRequest) as error:
            aside = self.path.with_suffix(f".damaged-{int(time.time())}")
            log.warning("%s can't be read (%s); it is now %s.", self.path, error, aside.name)
            os.replace(self.path, aside)
            return Lock()
