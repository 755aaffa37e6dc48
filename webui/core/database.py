"""Opening a SQLite file that must outlive crashes: checked, versioned, set aside if damaged."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from webui.core.errors import DiskFull, GessoError

log = logging.getLogger(__name__)

DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
UNWRITABLE: Final = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_BUSY,
)
"""A full disk shows as any of the first three, depending on which of SQLite's files meets it
first; the last is another program that holds the file, a backup for example. All may pass."""


class Database:
    """A file of rows that every thread may read and change: one connection for changes and one
    for reading, so that readers need not wait for a change to reach the disk."""

    def __init__(self, path: Path, migrations: Sequence[str], *, what: str, loss: str) -> None:
        """As `open_database`. `what` names the file's contents to people when the disk is full,
        which raises DiskFull."""
        self._what: Final = what
        with full_disk_told(what):
            self._writer: Final = open_database(path, migrations, loss=loss)
            self._reader: Final = connect(path)
        self._write_lock: Final = threading.Lock()
        self._read_lock: Final = threading.Lock()

    def close(self) -> None:
        """Close the file."""
        with self._write_lock, self._read_lock:
            self._reader.close()
            self._writer.close()

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """A transaction, durable when it ends. Raises DiskFull."""
        with self._write_lock, full_disk_told(self._what), transaction(self._writer):
            yield self._writer

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What a query finds."""
        with self._read_lock:
            return self._reader.execute(query, values).fetchall()


def open_database(
    path: Path,
    migrations: Sequence[str],
    *,
    loss: str,
    is_durable: bool = True,
    nonsense: str = "",
) -> sqlite3.Connection:
    """A connection for one writer at the newest version; script i of `migrations` brings a file
    of version i to version i + 1.

    A damaged file is set aside and a new one begun; `loss` tells in the log what that costs.
    `nonsense` is a query for rows that no whole file has: SQLite takes pages of zeros for text.
    With `is_durable` a commit survives a power cut, without it only the end of the program. Raises
    sqlite3.Error, and GessoError for a file of a later version than this program knows.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _open(path, migrations, is_durable, nonsense)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in DAMAGE:
            raise
    _set_aside(path, loss)
    return _open(path, migrations, is_durable)


def connect(path: Path) -> sqlite3.Connection:
    """One more connection to a file that is open. It commits each statement by itself and may be
    used by any thread, by one at a time."""
    return sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, committed when it ends."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def full_disk_told(what: str) -> Iterator[None]:
    """Turns the many faces of a full disk into DiskFull, which says that `what` can't be
    written; every other error passes."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in UNWRITABLE:
            raise
        raise DiskFull(
            f"{what} can't be written ({error}). Free some room on the disk; "
            "everything goes on by itself then."
        ) from error


def _open(
    path: Path, migrations: Sequence[str], is_durable: bool, nonsense: str = ""
) -> sqlite3.Connection:
    connection = connect(path)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if is_durable else 'NORMAL'}")
        _check(connection)
        _migrate(connection, migrations, path)
        if nonsense and connection.execute(nonsense).fetchone():
            raise _damage("rows without sense")
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection) -> None:
    """Takes 0.2 s for 100,000 pictures."""
    fault = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if fault != "ok":
        raise _damage(fault)


def _damage(fault: str) -> sqlite3.DatabaseError:
    damage = sqlite3.DatabaseError(fault)
    damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return damage


def _migrate(connection: sqlite3.Connection, migrations: Sequence[str], path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(migrations):
        raise GessoError(
            f"{path} was written by a later version of Gesso (format {version}, this one knows "
            f"{len(migrations)}). Update Gesso, or move the file away to begin a new one."
        )
    for number in range(version, len(migrations)):
        with transaction(connection):
            for statement in _statements(migrations[number]):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number + 1}")


def _statements(script: str) -> Iterator[str]:
    """One by one: executescript would commit what came before it."""
    return (statement for part in script.split(";") if (statement := part.strip()))


def _set_aside(path: Path, loss: str) -> None:
    """Keep the damaged file and its journals for whoever wants to look."""
    stamp = f"damaged-{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 1_000_000:06d}"
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            os.replace(part, path.with_name(f"{path.name}.{stamp}{suffix}"))
    log.error(
        "%s was damaged. It was set aside as %s.%s and a new one begun. %s",
        path, path.name, stamp, loss,
    )  # fmt: skip
