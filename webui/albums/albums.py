"""Albums on disk: whose they are, what is in them, and who may look."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from webui.albums.album import Album, AlbumId, AlbumWish, Contents, Link, LinkId, NewLink
from webui.core.database import Database
from webui.core.errors import InvalidRequest, NotFound
from webui.core.job import PersonId

MOST_ALBUMS: Final = 500
MOST_LINKS: Final = 50
MOST_PICTURES: Final = 10_000
DAY_S: Final = 86_400
LOSS: Final = "Albums and the links to them are gone, pictures are not touched."
SCHEMA: Final = """
CREATE TABLE album (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    title TEXT NOT NULL,
    is_for_team INTEGER NOT NULL,
    shows_recipes INTEGER NOT NULL,
    created_at REAL NOT NULL
);
CREATE INDEX album_mine ON album (owner, seq);
CREATE TABLE placed (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    album TEXT NOT NULL REFERENCES album (id),
    picture TEXT NOT NULL,
    UNIQUE (album, picture)
);
CREATE TABLE link (
    id TEXT PRIMARY KEY,
    album TEXT NOT NULL REFERENCES album (id),
    token_hash TEXT NOT NULL UNIQUE,
    created_at REAL NOT NULL,
    expires_at REAL NOT NULL
);
CREATE INDEX link_to ON link (album);
"""
_ALBUM: Final = "id, owner, title, is_for_team, shows_recipes, created_at"
_LINK: Final = "id, album, created_at, expires_at"


class Albums:
    """The albums of all people. Usable from any thread; changes are durable when they return."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        """Opens or makes the file. `clock` tells the seconds since 1970."""
        self._file: Final = Database(path, (SCHEMA,), what="The list of albums", loss=LOSS)
        self._clock: Final = clock

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def create(self, wish: AlbumWish, owner: PersonId) -> Album:
        """A new, empty album. Raises InvalidRequest for one too many, DiskFull."""
        if len(self.of(owner)) >= MOST_ALBUMS:
            raise InvalidRequest(
                "title", f"A person may have {MOST_ALBUMS} albums. Remove one that you don't need."
            )
        album = Album(
            id=AlbumId(secrets.token_hex(8)),
            owner=owner,
            title=wish.title,
            is_for_team=wish.is_for_team,
            shows_recipes=wish.shows_recipes,
            created_at=self._clock(),
        )
        with self._file.changing() as rows:
            rows.execute(
                f"INSERT INTO album ({_ALBUM}) VALUES (?, ?, ?, ?, ?, ?)",
                (album.id, owner, album.title, album.is_for_team, album.shows_recipes,
                 album.created_at),
            )  # fmt: skip
        return album

    def change(self, id: AlbumId, wish: AlbumWish) -> Album:
        """The album with another title or for other people. Raises NotFound, DiskFull."""
        with self._file.changing() as rows:
            rows.execute(
                "UPDATE album SET title = ?, is_for_team = ?, shows_recipes = ? WHERE id = ?",
                (wish.title, wish.is_for_team, wish.shows_recipes, id),
            )
        return self.get(id)

    def remove(self, id: AlbumId) -> None:
        """Forget an album and its links; the pictures stay."""
        with self._file.changing() as rows:
            for table in ("placed", "link"):
                rows.execute(f"DELETE FROM {table} WHERE album = ?", (id,))
            rows.execute("DELETE FROM album WHERE id = ?", (id,))

    def get(self, id: AlbumId) -> Album:
        """The album. Raises NotFound."""
        found = self._file.rows(f"SELECT {_ALBUM} FROM album WHERE id = ?", id)
        if not found:
            raise NotFound("album", id)
        return _album(found[0])

    def of(self, owner: PersonId) -> list[Album]:
        """A person's albums, newest first."""
        query = f"SELECT {_ALBUM} FROM album WHERE owner = ? ORDER BY seq DESC"
        return [_album(row) for row in self._file.rows(query, owner)]

    def for_team(self, person: PersonId) -> list[Album]:
        """The albums that others show to everyone, newest first."""
        query = (
            f"SELECT {_ALBUM} FROM album WHERE is_for_team AND owner != ? ORDER BY seq DESC LIMIT ?"
        )
        return [_album(row) for row in self._file.rows(query, person, MOST_ALBUMS)]

    def contents(self, album: Album, offset: int = 0, limit: int = 100) -> Contents:
        """The album with the ids of its pictures from the one at `offset` on."""
        query = "SELECT picture FROM placed WHERE album = ? ORDER BY seq LIMIT ? OFFSET ?"
        found = self._file.rows(query, album.id, limit, offset)
        return Contents(
            album=album, pictures=[picture for (picture,) in found], total=self.size(album.id)
        )

    def size(self, id: AlbumId) -> int:
        """How many pictures an album has."""
        return int(self._file.rows("SELECT count(*) FROM placed WHERE album = ?", id)[0][0])

    def holds(self, id: AlbumId, picture: str) -> bool:
        """Whether a picture is in an album."""
        query = "SELECT 1 FROM placed WHERE album = ? AND picture = ?"
        return bool(self._file.rows(query, id, picture))

    def put(self, id: AlbumId, picture: str) -> None:
        """Put a picture into an album; nothing happens if it is there. Raises InvalidRequest for
        one too many, DiskFull."""
        if self.size(id) >= MOST_PICTURES:
            raise InvalidRequest(
                "picture", f"An album has room for {MOST_PICTURES} pictures. Begin another one."
            )
        with self._file.changing() as rows:
            rows.execute(
                "INSERT OR IGNORE INTO placed (album, picture) VALUES (?, ?)", (id, picture)
            )

    def take(self, id: AlbumId, picture: str) -> None:
        """Take a picture out of an album; nothing happens if it is not there."""
        with self._file.changing() as rows:
            rows.execute("DELETE FROM placed WHERE album = ? AND picture = ?", (id, picture))

    def link(self, id: AlbumId, days: int) -> NewLink:
        """A link that shows the album for so many days. Raises InvalidRequest for one too many."""
        if len(self.links(id)) >= MOST_LINKS:
            raise InvalidRequest(
                "days", f"An album may have {MOST_LINKS} links. Revoke one that nobody needs."
            )
        now, token = self._clock(), secrets.token_urlsafe(32)
        made = NewLink(
            id=LinkId(secrets.token_hex(8)),
            album=id,
            created_at=now,
            expires_at=now + days * DAY_S,
            token=token,
        )
        with self._file.changing() as rows:
            rows.execute("DELETE FROM link WHERE expires_at < ?", (now,))
            rows.execute(
                "INSERT INTO link (id, album, token_hash, created_at, expires_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (made.id, id, _hash(token), made.created_at, made.expires_at),
            )
        return made

    def links(self, id: AlbumId) -> list[Link]:
        """The links to an album that are still good, newest first."""
        query = (
            f"SELECT {_LINK} FROM link WHERE album = ? AND expires_at >= ? ORDER BY created_at DESC"
        )
        return [_link(row) for row in self._file.rows(query, id, self._clock())]

    def revoke(self, id: AlbumId, link: LinkId) -> None:
        """Make a link useless at once; nothing happens if it is so already."""
        with self._file.changing() as rows:
            rows.execute("DELETE FROM link WHERE album = ? AND id = ?", (id, link))

    def opened_by(self, token: str) -> Album:
        """The album that a link shows. Raises NotFound: for a wrong token, too, and for one that
        has expired, all in the same words."""
        query = "SELECT album FROM link WHERE token_hash = ? AND expires_at >= ?"
        found = self._file.rows(query, _hash(token), self._clock())
        if not found:
            raise no_such_link()
        return self.get(found[0][0])


def may_look(album: Album, person: PersonId) -> bool:
    """Whether somebody who is signed in may look at an album."""
    return album.is_for_team or album.owner == person


def no_such_link() -> NotFound:
    """The answer to every link that shows nothing, whatever the reason."""
    return NotFound("shared album", "this link")


def _hash(token: str) -> str:
    """Tokens are random, so that one round is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def _album(row: tuple[Any, ...]) -> Album:
    id, owner, title, is_for_team, shows_recipes, created_at = row
    return Album(
        id=id,
        owner=owner,
        title=title,
        is_for_team=bool(is_for_team),
        shows_recipes=bool(shows_recipes),
        created_at=created_at,
    )


def _link(row: tuple[Any, ...]) -> Link:
    id, album, created_at, expires_at = row
    return Link(id=id, album=album, created_at=created_at, expires_at=expires_at)
