"""The file of the accounts, and all of it in memory: whoever asks is recognised without the disk.

Every change is a transaction of the file; then everything is read again. Accounts are few and
change seldom: a thousand sessions take some milliseconds. So what is in memory can't differ from
what is on disk, and a change by another program is seen too.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from webui.core.database import Database
from webui.core.job import PersonId
from webui.core.person import Role
from webui.people.account import (
    Accounts,
    ApiKey,
    Invitation,
    InvitationKind,
    Person,
    Session,
    Where,
)
from webui.people.ended import ended_credentials, gone_people
from webui.people.names import fold

log = logging.getLogger(__name__)

WHAT: Final = "The list of people"
LOSS: Final = (
    "All accounts are gone; pictures are not touched. Make the owner's account again: it will own "
    "what it owned."
)
FIRST_SCHEMA: Final = """
CREATE TABLE person (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    folded TEXT UNIQUE,
    role TEXT NOT NULL CHECK (role IN ('viewer', 'artist', 'owner')),
    hash TEXT NOT NULL DEFAULT '',
    created_at REAL NOT NULL,
    is_disabled INTEGER NOT NULL DEFAULT 0,
    is_removed INTEGER NOT NULL DEFAULT 0,
    expires_at REAL
);
CREATE TABLE session (
    id TEXT PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    person_id TEXT NOT NULL REFERENCES person (id),
    created_at REAL NOT NULL,
    seen_at REAL NOT NULL,
    address TEXT NOT NULL,
    browser TEXT NOT NULL
);
CREATE TABLE key (
    id TEXT PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    person_id TEXT NOT NULL REFERENCES person (id),
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('viewer', 'artist', 'owner')),
    created_at REAL NOT NULL,
    expires_at REAL,
    used_at REAL
);
CREATE TABLE invitation (
    id TEXT PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('join', 'guest', 'reset')),
    role TEXT NOT NULL CHECK (role IN ('viewer', 'artist', 'owner')),
    uses_left INTEGER NOT NULL CHECK (uses_left >= 0),
    expires_at REAL NOT NULL,
    made_by TEXT NOT NULL,
    made_at REAL NOT NULL,
    note TEXT NOT NULL,
    person_id TEXT
);
CREATE TABLE event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    is_failure INTEGER NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    subject TEXT NOT NULL,
    address TEXT NOT NULL,
    words TEXT NOT NULL
);
CREATE INDEX event_order ON event (is_failure, seq)
"""
MIGRATIONS: Final = (FIRST_SCHEMA,)
"""Script i brings a file of version i to version i + 1."""


class Book:
    """All accounts. Usable from any thread; `accounts` never waits."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        """Opens or makes the file; one that is damaged is set aside first. `now` gives seconds
        since 1970."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)  # SQLite's journals take over who may read it
        self._file: Final = Database(path, MIGRATIONS, what=WHAT, loss=LOSS)
        self._reading: Final = threading.Lock()
        self._on_revoked: Final[list[Callable[[str], None]]] = []
        self._on_gone: Final[list[Callable[[PersonId], None]]] = []
        self._seen: dict[str, float] = {}
        self._version = -1
        self.now: Final = now
        self._accounts = self._read()

    @property
    def accounts(self) -> Accounts:
        """Everything as it is now."""
        return self._accounts

    def close(self) -> None:
        """Write what is left to write, and close the file."""
        self.write_seen()
        self._file.close()

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """A transaction; `accounts` shows it when this ends, and the watchers were told what it
        took away. Raises DiskFull."""
        with self._file.changing() as rows:
            yield rows
        self._reload()

    @contextmanager
    def noting(self) -> Iterator[sqlite3.Connection]:
        """A transaction for the diary only: nothing of it is in `accounts`. Raises DiskFull."""
        with self._file.changing() as rows:
            yield rows

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What a query finds."""
        return self._file.rows(query, *values)

    def follow(self) -> None:
        """See what another program changed, if it did."""
        if self._file_version() != self._version:
            self._reload()

    def on_revoked(self, watcher: Callable[[str], None]) -> None:
        """Call `watcher` with the id of each credential that is no longer good, or that is good
        for less than before; from any thread."""
        self._on_revoked.append(watcher)

    def on_gone(self, watcher: Callable[[PersonId], None]) -> None:
        """Call `watcher` with the id of each person who is kept out or removed; from any
        thread."""
        self._on_gone.append(watcher)

    def saw(self, credential: str) -> None:
        """A session or key was used just now. Written later: not for every request."""
        self._seen[credential] = self.now()

    def seen_at(self, credential: str, written: float) -> float:
        """When it was last used, if that was after what is written."""
        return max(self._seen.get(credential, 0), written)

    def write_seen(self) -> None:
        """Put on disk when sessions and keys were last used."""
        seen, self._seen = self._seen, {}
        if not seen:
            return
        values = [(at, id) for id, at in list(seen.items())]
        with self.changing() as rows:
            rows.executemany("UPDATE session SET seen_at = ? WHERE id = ?", values)
            rows.executemany("UPDATE key SET used_at = ? WHERE id = ?", values)

    def _reload(self) -> None:
        # Under a lock: who reads first must not be the one who stores last.
        with self._reading:
            before, self._accounts = self._accounts, self._read()
            after = self._accounts
        for credential in ended_credentials(before, after):
            for revoked in self._on_revoked:
                revoked(credential)
        for person in gone_people(before, after):
            for gone in self._on_gone:
                gone(person)

    def _read(self) -> Accounts:
        # The version comes first: a change between the two is read once more, not missed.
        self._version = self._file_version()
        people = {person.id: person for person in map(_person, self.rows(_PEOPLE))}
        named = {fold(p.name): p for p in people.values() if not p.is_removed}
        return Accounts(
            people=MappingProxyType(people),
            by_name=MappingProxyType(named),
            sessions=MappingProxyType({row[0]: _session(row) for row in self.rows(_SESSIONS)}),
            keys=MappingProxyType({row[0]: _key(row) for row in self.rows(_KEYS)}),
            invitations=MappingProxyType(
                {row[0]: _invitation(row) for row in self.rows(_INVITATIONS)}
            ),
        )

    def _file_version(self) -> int:
        """Changes with every change of the file by another connection, the writer's too."""
        return int(self._file.rows("PRAGMA data_version")[0][0])


_PEOPLE: Final = (
    "SELECT id, name, role, hash, created_at, is_disabled, is_removed, expires_at FROM person"
    " ORDER BY created_at, id"
)
_SESSIONS: Final = (
    "SELECT digest, id, person_id, created_at, seen_at, address, browser FROM session"
)
_KEYS: Final = "SELECT digest, id, person_id, name, role, created_at, expires_at, used_at FROM key"
_INVITATIONS: Final = (
    "SELECT digest, id, kind, role, uses_left, expires_at, made_by, made_at, note, person_id"
    " FROM invitation"
)


def _person(row: tuple[Any, ...]) -> Person:
    id, name, role, hash, created_at, is_disabled, is_removed, expires_at = row
    return Person(
        id=PersonId(id),
        name=name,
        role=Role(role),
        hash=hash,
        created_at=created_at,
        is_disabled=bool(is_disabled),
        is_removed=bool(is_removed),
        expires_at=expires_at,
    )


def _session(row: tuple[Any, ...]) -> Session:
    _, id, person_id, created_at, seen_at, address, browser = row
    return Session(
        id=id,
        person_id=PersonId(person_id),
        created_at=created_at,
        seen_at=seen_at,
        where=Where(address=address, browser=browser),
    )


def _key(row: tuple[Any, ...]) -> ApiKey:
    _, id, person_id, name, role, created_at, expires_at, used_at = row
    return ApiKey(
        id=id,
        person_id=PersonId(person_id),
        name=name,
        role=Role(role),
        created_at=created_at,
        expires_at=expires_at,
        used_at=used_at,
    )


def _invitation(row: tuple[Any, ...]) -> Invitation:
    _, id, kind, role, uses_left, expires_at, made_by, made_at, note, person_id = row
    return Invitation(
        id=id,
        kind=InvitationKind(kind),
        role=Role(role),
        uses_left=uses_left,
        expires_at=expires_at,
        made_by=PersonId(made_by),
        made_at=made_at,
        note=note,
        person_id=None if person_id is None else PersonId(person_id),
    )
