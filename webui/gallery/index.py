"""The list of all pictures, in SQLite: who made which, where it lies. Knows no files.

A picture is *reserved* before its file appears and *saved* after, so that a crash in between can
be settled. Trashed pictures keep their row and with it their name.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from webui.core.codec import from_json
from webui.core.database import connect, open_database, transaction
from webui.core.errors import NotFound
from webui.core.job import JobId, PersonId
from webui.core.recipe import Recipe
from webui.core.request import Mode
from webui.gallery.room import is_full

T = TypeVar("T")

LOSS: Final = "It is made anew from the pictures."
RECIPES_AT_ONCE: Final = 500
_COLUMNS: Final = (
    "id, job_id, picture_index, owner, mode, path, width, height, words, series, number, "
    "created_at, trashed_at, digest, facts, recipe"
)
_SCHEMA: Final = """
CREATE TABLE pictures (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    job_id TEXT NOT NULL,
    picture_index INTEGER NOT NULL,
    owner TEXT NOT NULL,
    mode TEXT NOT NULL,
    path TEXT NOT NULL UNIQUE,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    words TEXT NOT NULL,
    series TEXT NOT NULL,
    number INTEGER NOT NULL,
    created_at REAL NOT NULL,
    trashed_at REAL,
    digest TEXT NOT NULL,
    facts TEXT NOT NULL,
    recipe TEXT NOT NULL,
    is_saved INTEGER NOT NULL DEFAULT 0,
    UNIQUE (job_id, picture_index)
);
CREATE INDEX pages ON pictures (owner, is_saved, trashed_at IS NULL, seq, mode, words);
CREATE INDEX pages_of_mode ON pictures (owner, is_saved, trashed_at IS NULL, mode, seq);
CREATE INDEX numbers ON pictures (series, number);
CREATE INDEX unsettled ON pictures (is_saved) WHERE is_saved = 0;
CREATE INDEX trash ON pictures (trashed_at) WHERE trashed_at IS NOT NULL;
CREATE TABLE state (is_complete INTEGER NOT NULL);
INSERT INTO state VALUES (0)
"""
_TEXTS: Final = ("id", "job_id", "owner", "mode", "path", "series", "digest", "facts", "recipe")
# along the table itself: an index of it may still be whole
_NONSENSE: Final = (
    "SELECT 1 FROM pictures NOT INDEXED WHERE "
    + " OR ".join(f"instr({text}, char(0))" for text in _TEXTS)
    + " LIMIT 1"
)
_SETTLED: Final = (
    "is_saved AND seq > ? AND json_valid(recipe) AND "
    "seq < (SELECT ifnull(min(seq), 9e18) FROM pictures WHERE is_saved = 0)"
)
_USED: Final = f"""
SELECT owner, name, count(*) FROM (
    SELECT seq, owner, json_extract(recipe, '$.model.hash') AS name FROM pictures WHERE {_SETTLED}
    UNION SELECT seq, owner, json_extract(recipe, '$.model.id') FROM pictures WHERE {_SETTLED}
    UNION SELECT seq, owner, json_extract(value, '$.hash')
        FROM pictures, json_each(recipe, '$.files') WHERE {_SETTLED}
    UNION SELECT seq, owner, json_extract(value, '$.id')
        FROM pictures, json_each(recipe, '$.files') WHERE {_SETTLED}
) WHERE name > '' GROUP BY owner, name
"""
"""Pictures by whose they are and by the models in them, each once for a model."""
_INSERT: Final = (
    f"({_COLUMNS}, is_saved) VALUES (:id, :job_id, :index, :owner, :mode, :path, :width, :height, "
    ":words, :series, :number, :created_at, :trashed_at, :digest, :facts, :recipe, :is_saved)"
)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One row. `path` is relative to the outputs folder, with forward slashes; a trashed picture
    keeps the path that it will be restored to. `facts` and `recipe` are JSON."""

    id: str
    job_id: JobId
    index: int
    owner: PersonId
    mode: Mode
    path: str
    width: int
    height: int
    words: str
    series: str
    number: int
    created_at: float
    trashed_at: float | None = None
    digest: str
    """sha256 of the file's bytes; "" where the file itself was the source of the row."""
    facts: str
    recipe: str


def picture_id(job_id: JobId, index: int) -> str:
    """The same for the same picture for ever, also after the index was made anew."""
    return hashlib.sha256(f"{job_id}/{index}".encode()).hexdigest()[:24]


def search_words(recipe: Recipe) -> str:
    """What a search looks through."""
    return f"{recipe.prompt}\n{recipe.negative_prompt}\n{recipe.model.name}".casefold()


class Index:
    """Usable from any thread. A write that finds no room raises sqlite3.OperationalError."""

    def __init__(self, path: Path, on_full: Callable[[], bool]) -> None:
        """`on_full` frees some room and says whether it could; then a write that only takes note
        of what happened is tried once more."""
        wal = path.with_name(path.name + "-wal")
        self.was_cut_short: Final = wal.exists()
        """Whether the last server that had it open did not close it."""
        self._on_full: Final = on_full
        self._writer: Final = self._once_more(
            lambda: open_database(path, (_SCHEMA,), loss=LOSS, is_durable=False, nonsense=_NONSENSE)
        )
        self._reader: Final = connect(path)
        self._writing, self._reading = threading.Lock(), threading.Lock()

    def close(self) -> None:
        """Write everything into the one file and let go of it."""
        with self._writing, self._reading:
            self._reader.close()
            self._writer.close()

    @property
    def is_complete(self) -> bool:
        """False for a new file until the pictures that lie in the outputs folder were added."""
        return bool(self._one("SELECT is_complete FROM state")[0])

    def reserve(self, entry: Entry) -> bool:
        """Add an unsaved picture; False when its path is taken."""
        with self._writing:
            sql = f"INSERT INTO pictures {_INSERT} ON CONFLICT (path) DO NOTHING"
            return self._writer.execute(sql, _values(entry, is_saved=False)).rowcount == 1

    def confirm(self, id: str) -> None:
        """The file is there."""
        self._note("UPDATE pictures SET is_saved = 1 WHERE id = ?", id)

    def release(self, id: str) -> None:
        """There will be no such file."""
        self._note("DELETE FROM pictures WHERE id = ? AND is_saved = 0", id)

    def remove(self, id: str) -> None:
        """The file is gone for good."""
        self._note("DELETE FROM pictures WHERE id = ?", id)

    def trash(self, entry: Entry) -> None:
        """Leave a picture out of the pages, from its `trashed_at` on."""
        self._note("UPDATE pictures SET trashed_at = ? WHERE id = ?", entry.trashed_at, entry.id)

    def restore(self, id: str, path: str) -> None:
        """Show a picture again, at this path."""
        self._note("UPDATE pictures SET trashed_at = NULL, path = ? WHERE id = ?", path, id)

    def add_found(self, entries: Iterable[Entry]) -> int:
        """Add pictures that were found on the disk, in the order they were made; all or nothing.

        Those that are known already are passed over; the number added.
        """
        writer = self._writer
        with self._writing, transaction(writer):
            writer.execute("CREATE TEMP TABLE found AS SELECT * FROM pictures WHERE 0")
            rows = (_values(entry, is_saved=True) for entry in entries)
            writer.executemany(f"INSERT INTO found {_INSERT}", rows)
            columns = f"{_COLUMNS}, is_saved"
            added = writer.execute(
                f"INSERT OR IGNORE INTO pictures ({columns}) SELECT {columns} FROM found "
                "ORDER BY created_at, picture_index, path"
            ).rowcount
            writer.execute("DROP TABLE found")
            writer.execute("UPDATE state SET is_complete = 1")
            return added

    def get(self, id: str) -> Entry:
        """A saved picture, trashed or not. Raises NotFound."""
        for entry in self._entries("WHERE id = ? AND is_saved", id):
            return entry
        raise NotFound("picture", id)

    def find(self, job_id: JobId, index: int) -> Entry | None:
        """The saved picture of a job at this index."""
        where = "WHERE job_id = ? AND picture_index = ? AND is_saved"
        return next(iter(self._entries(where, job_id, index)), None)

    def of_job(self, job_id: JobId) -> list[Entry]:
        """The saved pictures of a job, by index."""
        return self._entries("WHERE job_id = ? AND is_saved ORDER BY picture_index", job_id)

    def unsettled(self) -> list[Entry]:
        """Pictures whose file may or may not be there."""
        return self._entries("WHERE is_saved = 0 ORDER BY seq")

    def trashed(self, before: float = float("inf")) -> list[Entry]:
        """All pictures that were put into the trash before that, of everybody."""
        return self._entries("INDEXED BY trash WHERE trashed_at < ? ORDER BY seq", before)

    def recipes(self, owner: PersonId) -> Iterator[str]:
        """The recipes of a person's pictures, as JSON; read in parts, between which others read."""
        query = "SELECT seq, recipe FROM pictures WHERE seq > ? AND +owner = ? ORDER BY seq LIMIT ?"
        rows = self._rows(query, 0, owner, RECIPES_AT_ONCE)
        while rows:
            yield from (recipe for _, recipe in rows)
            rows = self._rows(query, rows[-1][0], owner, RECIPES_AT_ONCE)

    def paths(self) -> frozenset[str]:
        """All paths that are taken."""
        return frozenset(row[0] for row in self._rows("SELECT path FROM pictures"))

    def files(self, owner: PersonId, after: int = 0) -> list[tuple[int, str, str, bool]]:
        """(row, id, path, whether it is in the trash) of a person's saved pictures since the row
        `after`."""
        query = "SELECT seq, id, path, trashed_at FROM pictures"
        query += " WHERE seq > ? AND +owner = ? AND is_saved ORDER BY seq"  # + keeps to the rows
        rows = self._rows(query, after, owner)
        return [(seq, id, path, at is not None) for seq, id, path, at in rows]

    def newest_at(self) -> float:
        """When the newest picture was made; 0 if there is none."""
        row = self._one("SELECT created_at FROM pictures ORDER BY seq DESC LIMIT 1")
        return float(row[0]) if row else 0.0

    def highest_number(self, series: str) -> int | None:
        """The highest number in use in a series, None if there is none."""
        number = self._one("SELECT max(number) FROM pictures WHERE series = ?", series)[0]
        return None if number is None else int(number)

    def uses(self, after: int) -> tuple[int, dict[PersonId, Counter[str]]]:
        """How many pictures since the row `after` each person made with each model, by its hash
        and by its id, and the row up to which that is."""
        newest = self._one(f"SELECT max(seq) FROM pictures WHERE {_SETTLED}", after)[0]
        if newest is None:
            return after, {}
        rows = self._rows(_USED, *[after] * 4)
        found: dict[PersonId, Counter[str]] = {}
        for owner, name, count in rows:
            found.setdefault(PersonId(owner), Counter())[str(name)] = int(count)
        return int(newest), found

    def page(
        self,
        owner: PersonId,
        before: str | None,
        limit: int,
        mode: Mode | None,
        search: str,
        trashed: bool,
    ) -> list[Entry]:
        """Saved pictures of a person, newest first. Raises NotFound for an unknown `before`.

        Every word of `search` must occur, also inside a word: plain LIKE along an index that holds
        the words takes 40 ms over 100,000 pictures, and serves languages without blanks too.
        """
        wheres = ["owner = ?", "is_saved = 1", "(trashed_at IS NULL) = ?"]
        values: list[object] = [owner, not trashed]
        if mode is not None:
            wheres.append("mode = ?")
            values.append(mode.value)
        if before is not None:
            wheres.append("seq < ?")
            values.append(self._seq(before))
        for word in search.casefold().split():
            wheres.append(r"words LIKE ? ESCAPE '\'")
            values.append(f"%{_literal(word)}%")
        index = "INDEXED BY pages" if search else ""
        chosen = f"SELECT seq FROM pictures {index} WHERE {' AND '.join(wheres)}"
        where = f"WHERE seq IN ({chosen} ORDER BY seq DESC LIMIT ?) ORDER BY seq DESC"
        return self._entries(where, *values, limit)

    def _seq(self, id: str) -> int:
        row = self._one("SELECT seq FROM pictures WHERE id = ?", id)
        if not row:
            raise NotFound("picture", id)
        return int(row[0])

    def _entries(self, where: str, *values: object) -> list[Entry]:
        return [
            _entry(row) for row in self._rows(f"SELECT {_COLUMNS} FROM pictures {where}", *values)
        ]

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with self._reading:
            return self._reader.execute(sql, values).fetchall()

    def _one(self, sql: str, *values: object) -> tuple[Any, ...]:
        rows = self._rows(sql, *values)
        return rows[0] if rows else ()

    def _note(self, sql: str, *values: object) -> None:
        """Write down what has already happened: a full disk is made to take it."""
        with self._writing:
            self._once_more(lambda: self._writer.execute(sql, values))

    def _once_more(self, action: Callable[[], T]) -> T:
        try:
            return action()
        except sqlite3.OperationalError as error:
            if not (is_full(error) and self._on_full()):
                raise
            return action()


def _values(entry: Entry, is_saved: bool) -> dict[str, object]:
    return {**vars(entry), "is_saved": is_saved}


def _entry(row: Sequence[Any]) -> Entry:
    return Entry(
        id=row[0],
        job_id=JobId(row[1]),
        index=row[2],
        owner=PersonId(row[3]),
        mode=Mode(row[4]),
        path=row[5],
        width=row[6],
        height=row[7],
        words=row[8],
        series=row[9],
        number=row[10],
        created_at=row[11],
        trashed_at=row[12],
        digest=row[13],
        facts=row[14],
        recipe=row[15],
    )


def entry_recipe(entry: Entry) -> Recipe:
    """The recipe of a row."""
    return from_json(Recipe, entry.recipe)


def _literal(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
