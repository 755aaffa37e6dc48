"""Room on the disk: the check before a save, a reserve for the last entries, and what a full disk
raises."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from webui.core.errors import DiskFull
from webui.core.files import write_atomic

log = logging.getLogger(__name__)

RESERVE_BYTES: Final = 2**20
MB: Final = 1_000_000

_FULL_ERRNOS: Final = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
_FULL_SQLITE: Final = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY}
)
"""A full disk shows as any of the first three, by the file of SQLite's that meets it first."""


def free_bytes(folder: Path) -> int:
    """Room for a person's files on the disk of a folder that exists or will."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


@contextlib.contextmanager
def full_disk_named(folder: Path) -> Iterator[None]:
    """Turns the many faces of a full disk into DiskFull; every other error passes."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL_ERRNOS:
            raise
        raise _disk_full(folder) from error
    except sqlite3.OperationalError as error:
        if not is_full(error):
            raise
        raise _disk_full(folder) from error


def is_full(error: sqlite3.Error) -> bool:
    """Whether the database could not be written now, and may be later."""
    return error.sqlite_errorcode & 0xFF in _FULL_SQLITE


class Room:
    """Watches the disks of some folders. Safe to use from any thread."""

    def __init__(
        self,
        folders: tuple[Path, ...],
        keep_free_mb: Callable[[], int],
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        """`free` tells the free bytes on the disk of a folder."""
        self._folders: Final = folders
        self._keep_free_mb: Final = keep_free_mb
        self._free: Final = free

    def check(self, extra_bytes: int = 0) -> None:
        """Raises DiskFull when writing so many bytes would leave less free than the setting."""
        keep_mb = self._keep_free_mb()
        for folder in self._folders:
            left = self._free(folder) - extra_bytes
            if left < keep_mb * MB:
                raise DiskFull(
                    f"The disk of the folder “{folder.name}” has {max(left, 0) / MB:.0f} MB left, "
                    f"and {keep_mb} MB are to stay free. Delete files there, or keep less free in "
                    "Settings; "
                    "everything goes on by itself then."
                )


class Reserve:
    """A file whose only use is to be deleted, so that a full disk can still take the note that a
    picture was moved to the trash. SQLite needs room even to delete a row."""

    def __init__(self, path: Path, free: Callable[[Path], int] = free_bytes) -> None:
        self._path: Final = path
        self._free: Final = free
        self._lock: Final = threading.Lock()

    def restore(self) -> None:
        """Set the room aside, if it isn't yet and there is plenty. Random bytes, because a disk
        that compresses would keep nothing free for zeros."""
        with self._lock, contextlib.suppress(OSError):
            if not self._path.exists() and self._free(self._path.parent) > 4 * RESERVE_BYTES:
                write_atomic(self._path, os.urandom(RESERVE_BYTES))

    def release(self) -> bool:
        """Give the room free; whether there was any."""
        with self._lock:
            try:
                self._path.unlink()
            except OSError:
                return False
        log.warning("The disk of %s is full. The last reserve was used.", self._path.parent)
        return True


def _disk_full(folder: Path) -> DiskFull:
    """Names the folder alone: where it lies is not for everybody who reads this."""
    return DiskFull(
        f"The disk of the folder “{folder.name}” is full. Delete files there; everything goes on "
        "by itself then."
    )
