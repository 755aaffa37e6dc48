"""Opening the index file: WAL, checked, and set aside when it is damaged."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from pathlib import Path
from typing import Final

from webui.core.errors import GessoError

log = logging.getLogger(__name__)

_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def open_database(path: Path, schema: str, version: int) -> sqlite3.Connection:
    """A connection that commits each statement by itself, usable from any thread under a lock.

    A damaged file is set aside and an empty one begun. Raises GessoError for one of a later
    version. Commits survive the end of the program at once, a power cut a little later: the
    pictures themselves tell what is missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _open(path, schema, version)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in _DAMAGED:
            raise
    _set_aside(path)
    return _open(path, schema, version)


def connect(path: Path) -> sqlite3.Connection:
    """One more connection to a file that `open_database` has opened."""
    return sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)


def _open(path: Path, schema: str, version: int) -> sqlite3.Connection:
    connection = connect(path)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        _check(connection)
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found > version:
            raise GessoError(
                f"{path} was written by a later version of Gesso (format {found}, this one knows "
                f"{version}). Update Gesso, or move the file away: it is made anew then."
            )
        if found == 0:
            connection.executescript(f"BEGIN;{schema};PRAGMA user_version = {version};COMMIT;")
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection) -> None:
    """Takes 0.2 s for 100,000 pictures."""
    fault = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if fault != "ok":
        damage = sqlite3.DatabaseError(fault)
        damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damage


def _set_aside(path: Path) -> None:
    stamp = f"damaged-{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 1_000_000:06d}"
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            os.replace(part, path.with_name(f"{path.name}.{stamp}{suffix}"))
    log.warning("%s was damaged and set aside. It is made anew from the pictures.", path)
