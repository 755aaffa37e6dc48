"""Putting an extension into its place: whole or not at all, whenever the program is killed.

A change is written down before it begins. What is found written down at a start is finished then.
"""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from webui.core.codec import from_json, to_json
from webui.core.errors import InvalidRequest
from webui.core.files import sync_folder, write_atomic
from webui.installs.lockfile import Entry, Lock, LockFile
from webui.installs.places import Places
from webui.installs.trees import is_link, move_tree, remove_tree, sweep, tree_hash

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Change:
    """`entry` as it shall be, its files at `staged` with this hash; what is in its place goes to
    `keep`, a name in the folder of versions. `packages`: the set to use from then on."""

    entry: Entry
    staged: str
    sha256: str
    keep: str = ""
    link: str = ""
    """The folder that a link leads to, instead of files at `staged`."""
    packages: str = ""


@dataclass(frozen=True, kw_only=True)
class Placer:
    """Makes changes. `use_packages` lets a set of packages be the one in use."""

    places: Places
    lock: LockFile
    use_packages: Callable[[str], None]

    def recover(self) -> None:
        """Finish what a kill cut short, and clear what was never agreed to."""
        if (change := self._written()) is not None:
            try:
                self._finish(change)
            except (OSError, InvalidRequest) as error:
                log.error("The change of “%s” was not finished: %s", change.entry.name, error)
                self.places.journal.unlink(missing_ok=True)
        with suppress(OSError):
            remove_tree(self.places.quarantine)
        for folder in (self.places.extensions, self.places.versions, self.places.work):
            sweep(folder)

    def put(self, change: Change) -> None:
        """Make a change. Raises InvalidRequest; then nothing is changed."""
        write_atomic(self.places.journal, to_json(change).encode())
        try:
            self._finish(change)
        except OSError as error:
            self._undo(change)
            raise InvalidRequest(
                "extension",
                f"The files of “{change.entry.name}” can't be moved ({error.strerror}). Close what "
                "uses them, or switch the extension off and restart, and try again.",
            ) from error

    def tidy(self, kept: Iterable[str]) -> None:
        """Remove the versions that nothing goes back to."""
        names = set(kept)
        for version in self.places.versions.glob("*"):
            if version.name not in names:
                with suppress(OSError):
                    remove_tree(version)

    def target(self, entry: Entry) -> Path:
        """Where an extension runs from."""
        return self.places.extensions / entry.folder

    def _written(self) -> Change | None:
        try:
            return from_json(Change, self.places.journal.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, InvalidRequest) as error:
            log.error("What was being changed can't be read: %s", error)
            self.places.journal.unlink(missing_ok=True)
            return None

    def _finish(self, change: Change) -> None:
        """Every step may be done already."""
        target, staged = self.target(change.entry), Path(change.staged)
        if not self._is_placed(change, target):
            if target.exists() or is_link(target):
                self._keep(target, change.keep)
            if change.link:
                link_folder(Path(change.link), target)
            else:
                move_tree(staged, target)
        if not change.link and staged != target and staged.exists():
            remove_tree(staged)
        self.use_packages(change.packages)
        self.lock.edit(lambda lock: _with_change(lock, change))
        self.places.journal.unlink(missing_ok=True)
        sync_folder(self.places.work)

    def _is_placed(self, change: Change, target: Path) -> bool:
        if change.link:
            return is_link(target) and target.resolve() == Path(change.link).resolve()
        is_there = target.exists() and not is_link(target)
        return is_there and tree_hash(target) == change.sha256

    def _keep(self, target: Path, name: str) -> None:
        kept = self.places.versions / name
        if is_link(target) or not name or kept.exists():
            remove_tree(target)
        else:
            move_tree(target, kept)

    def _undo(self, change: Change) -> None:
        target, kept = self.target(change.entry), self.places.versions / (change.keep or "-")
        with suppress(OSError):
            if not target.exists() and kept.exists():
                move_tree(kept, target)
        self.places.journal.unlink(missing_ok=True)


def link_folder(folder: Path, link: Path) -> None:
    """Let `link` lead to a folder, on Windows by a junction, which needs no rights. Raises
    OSError."""
    link.parent.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":
        import _winapi

        _winapi.CreateJunction(str(folder), str(link))
    else:
        link.symlink_to(folder, target_is_directory=True)


def copy_aside(tree: Path, folder: Path) -> Path:
    """A copy of a tree for trying it out."""
    target = folder / tree.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if tree.is_dir():
        shutil.copytree(tree, target)
    else:
        shutil.copyfile(tree, target)
    return target


def _with_change(lock: Lock, change: Change) -> Lock:
    rows = {entry.id: entry for entry in lock.entries} | {change.entry.id: change.entry}
    before = lock.packages if lock.packages != change.packages else lock.previous_packages
    return replace(
        lock,
        entries=tuple(rows.values()),
        packages=change.packages,
        previous_packages=before,
    )
