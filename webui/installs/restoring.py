"""Bringing a snapshot's set back: from what is kept here, or from its source, to the very bytes
that were agreed to."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from webui.core.errors import GessoError, NotFound
from webui.installs.fetching import Fetching
from webui.installs.installing import Installing
from webui.installs.line import Line, Stopped
from webui.installs.lockfile import Entry, LockFile
from webui.installs.places import Places
from webui.installs.snapshots import Snapshot
from webui.installs.surroundings import Switches
from webui.installs.trash import Removed, Trash
from webui.installs.trees import tree_hash


@dataclass(frozen=True, kw_only=True)
class Restoring:
    """Goes to a snapshot extension by extension; one that can't be had is passed over and told."""

    places: Places
    lock: LockFile
    trash: Trash
    fetching: Fetching
    switches: Switches
    installing: Installing
    uninstall: Callable[[str], Removed]

    def restore(self, snapshot: Snapshot, scratch: Path, line: Line) -> list[str]:
        """Sentences about what could not be brought back. Raises Stopped."""
        wanted = {entry.id: entry for entry in snapshot.entries}
        for entry in self.lock.now.entries:
            if entry.id not in wanted:
                self.uninstall(entry.id)
        faults = []
        for count, entry in enumerate(wanted.values()):
            line.tell(count / len(wanted), f"Bringing {entry.name} back")
            try:
                self._restore(entry, scratch / entry.id, line)
            except Stopped:
                raise
            except (GessoError, OSError) as error:
                faults.append(f"{entry.name}: {error}")
        self._switch(snapshot)
        return faults

    def _restore(self, entry: Entry, scratch: Path, line: Line) -> None:
        present = self.lock.find(entry.id)
        if present is not None and present.now.tree_sha256 == entry.now.tree_sha256:
            return
        before = present.previous if present is not None else None
        if before is not None and before.tree_sha256 == entry.now.tree_sha256 and before.kept:
            self.installing.bring(present or entry, entry.now, self._kept(before.kept), line)
            return
        removed = self._in_trash(entry)
        staged = self.trash.tree(removed) if removed else self._fetched(entry, scratch, line)
        base = present or replace(entry, previous=None)
        self.installing.bring(base, entry.now, staged, line)
        if removed is not None:
            with suppress(NotFound, OSError):
                self.trash.forget(removed.id)

    def _kept(self, name: str) -> Path:
        return self.places.versions / name

    def _in_trash(self, entry: Entry) -> Removed | None:
        for removed in self.trash.all():
            is_same = removed.entry.now.tree_sha256 == entry.now.tree_sha256
            if is_same and removed.entry.id == entry.id and self.trash.tree(removed).exists():
                return removed
        return None

    def _fetched(self, entry: Entry, scratch: Path, line: Line) -> Path:
        source = entry.now.source
        if source.is_linked:
            return scratch
        if source.is_uploaded:
            raise GessoError("it was sent as a file, which is here no more. Install it anew.")
        _, tree = self.fetching.fetch(source, scratch, line)
        if tree_hash(tree) != entry.now.tree_sha256:
            raise GessoError(
                "its source holds other files now than those that were agreed to. Install it anew."
            )
        return tree

    def _switch(self, snapshot: Snapshot) -> None:
        wanted, present = frozenset(snapshot.enabled), self.switches.enabled()
        for id in present - wanted:
            self.switches.disable(id)
        for id in wanted - present:
            with suppress(NotFound):
                self.switches.enable(id)
