"""Pictures that were deleted: for 30 days they can be taken out again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from webui.core.errors import NotFound
from webui.gallery.found import file_of
from webui.gallery.index import Entry, Index
from webui.gallery.publish import move
from webui.gallery.thumbnails import Thumbnails

TRASH_DAYS: Final = 30
_DAY_S: Final = 86_400


class Trash:
    """The folder of trashed pictures, below the outputs folder. Whoever calls sees to it that no
    two threads move the same picture."""

    def __init__(
        self, outputs: Path, index: Index, thumbnails: Thumbnails, clock: Callable[[], float]
    ) -> None:
        """`clock` tells the seconds since 1970."""
        self._outputs: Final = outputs
        self._index: Final = index
        self._thumbnails: Final = thumbnails
        self._clock: Final = clock

    def put(self, entry: Entry) -> None:
        """Move the file there; one that somebody deleted by hand is only listed there."""
        with contextlib.suppress(FileNotFoundError):
            move(self._outputs / entry.path, self._file(entry))

    def take(self, entry: Entry) -> str:
        """Move the file back; the path it has now: its own, or one with its id if another file has
        that name. Raises NotFound."""
        source, path = self._file(entry), Path(entry.path)
        for relative in (path, path.with_name(f"{path.stem}-{entry.id}{path.suffix}")):
            try:
                move(source, self._outputs / relative)
            except FileExistsError:
                continue
            except FileNotFoundError as error:
                raise NotFound("picture", entry.id) from error
            return relative.as_posix()
        raise NotFound("picture", entry.id)

    def settle(self, entry: Entry) -> None:
        """Finish a move that was cut short."""
        here, there = self._outputs / entry.path, self._file(entry)
        if not there.exists():
            self.put(entry)
        elif here.exists() and here.samefile(there):
            here.unlink()

    def delete_old(self) -> None:
        """Delete what has lain there long enough; what the system keeps goes another time."""
        for entry in self._index.trashed(before=self._clock() - TRASH_DAYS * _DAY_S):
            with contextlib.suppress(OSError):
                self.delete(entry)

    def delete(self, entry: Entry) -> None:
        """Let go of a picture for good. Cut short, it is done again by whoever deletes it next, or
        when it is too old."""
        self._file(entry).unlink(missing_ok=True)
        self._thumbnails.remove(entry.id)
        self._index.remove(entry.id)

    def _file(self, entry: Entry) -> Path:
        return self._outputs / file_of(entry)
