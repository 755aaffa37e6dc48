"""Whether sources have something newer: asked only when a person asks."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from webui.core.errors import InvalidRequest
from webui.installs.fetching import Fetching
from webui.installs.line import Line
from webui.installs.lockfile import Entry, LockFile


@dataclass(frozen=True, kw_only=True)
class Updates:
    """Asks the sources of what is installed."""

    lock: LockFile
    fetching: Fetching

    def check(self, line: Line) -> list[str]:
        """Ask all; a sentence for each that could not be asked. Raises Stopped."""
        faults = []
        entries = [entry for entry in self.lock.now.entries if entry.now.source.can_update]
        for count, entry in enumerate(entries):
            line.tell(count / len(entries), f"Asking for {entry.name}")
            try:
                self._ask(entry, line)
            except InvalidRequest as error:
                faults.append(f"{entry.name}: {error}")
        return faults

    def _ask(self, entry: Entry, line: Line) -> None:
        newest = self.fetching.newest_commit(entry.now.source, line)
        if (present := self.lock.find(entry.id)) is not None:
            self.lock.put(replace(present, newest_commit=newest, checked_at=time.time()))
