"""From a whole partial file to a model in its folder: checked, recognised, never over another."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from webui.core.errors import ModelUnreadable
from webui.core.files import sync_folder
from webui.core.shelf import Shelf
from webui.downloads.download import Download
from webui.downloads.names import numbered, with_ending
from webui.downloads.transfer import Line
from webui.modelfiles.container import container_of
from webui.net.faults import FetchRefused

CHUNK_BYTES: Final = 2**22
SET_ASIDE: Final = ".set-aside"
MOST_NUMBERS: Final = 1000


@dataclass(frozen=True, kw_only=True)
class Placer:
    """Puts files on the shelf."""

    shelf: Shelf

    def place(self, download: Download, line: Line, keep: Callable[[Download], object]) -> Download:
        """The record of the download when its file is where it belongs; as it was when the line
        is stopped. `keep` stores the record: a kill leaves no second copy.

        Raises FetchRefused; the file is set aside then. Raises OSError.
        """
        if (there := was_placed(download)) is not None:
            return there
        part = Path(download.part)
        found = _sha256(part, line)
        if not found:
            return download
        self._check(download, part, found)
        judged = self.shelf.judge(part, download.kind)
        problem = judged.problem.replace(part.name, download.name)
        name = with_ending(download.name, container_of(part))
        download = replace(download, label=judged.label, note=problem)

        def note(path: Path) -> None:
            keep(replace(download, name=path.name, path=str(path)))

        target = _reserve(self.shelf.home(judged.kind or download.kind), name, note)
        download = replace(download, name=target.name, path=str(target))
        _move(part, target)
        self.shelf.took(target, found)
        return replace(download, sha256=found, received_bytes=target.stat().st_size)

    def _check(self, download: Download, part: Path, found: str) -> None:
        if download.sha256 and found != download.sha256:
            aside = _set_aside(part)
            raise FetchRefused(
                f"{download.name} is not the file that was promised: its hash begins with "
                f"{found[:10]}, not {download.sha256[:10]}. It was set aside as {aside.name}. "
                "Remove it, and look the model up again."
            )
        try:
            container_of(part)
        except ModelUnreadable as error:
            why = str(error).replace(part.name, download.name)
            raise FetchRefused(f"{why} It was set aside as {_set_aside(part).name}.") from error


def was_placed(download: Download) -> Download | None:
    """The record of a download that a kill cut short after its file was moved, else None."""
    target = Path(download.path) if download.path else None
    if target is None or not target.exists():
        return None
    if Path(download.part).exists():
        if target.stat().st_size == 0:
            target.unlink()  # only reserved
        return None
    return download


def discard(download: Download) -> None:
    """Remove the partial file."""
    with suppress(OSError):
        Path(download.part).unlink(missing_ok=True)


def _sha256(path: Path, line: Line) -> str:
    """The hash of a file, read from disk: what counts is what was written. Empty when stopped."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(CHUNK_BYTES):
            if line.is_stopped:
                return ""
            found.update(piece)
    return found.hexdigest()


def _reserve(folder: Path, name: str, note: Callable[[Path], None]) -> Path:
    """A new, empty file of this name, or with a number if there is one already. `note` is told of
    it before it is there: a kill in between leaves nothing that nobody knows of."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, MOST_NUMBERS):
        path = folder / numbered(name, number)
        if path.exists():
            continue
        note(path)
        with suppress(FileExistsError):
            path.open("xb").close()
            return path
    raise FileExistsError(errno.EEXIST, f"too many files are called {name}")


def _move(part: Path, target: Path) -> None:
    """Over the reserved name, in one step also when the folder is on another disk."""
    try:
        os.replace(part, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        near = target.with_name(f"{target.name}.{part.suffix.lstrip('.')}")
        shutil.copyfile(part, near)
        os.replace(near, target)
        part.unlink()
    sync_folder(target.parent)


def _set_aside(part: Path) -> Path:
    aside = part.with_name(part.name.removesuffix(".part") + SET_ASIDE)
    os.replace(part, aside)
    return aside
