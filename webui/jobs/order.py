"""The order of the queue in the jobs table: people's turns, one's own order, pauses, times.

One's own jobs stand in the order of `place`; between people decide turns, see `turns`. Numbers,
never the clock, make the order; only "not before" asks what time it is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from webui.core.database import Database
from webui.core.job import JobId, PersonId
from webui.jobs.turns import Waiting

NOBODY: Final = PersonId("")
"""Whose row counts all turns and pauses the whole queue."""
READY: Final = "state = 'queued' AND NOT is_paused AND not_before <= ?1"
HEADS: Final = f"""
SELECT person.owner, job.seq, model, priority, last_turn, since FROM person JOIN job ON job.seq = (
    SELECT seq FROM job WHERE {READY} AND owner = person.owner ORDER BY place, seq LIMIT 1
) WHERE NOT person.is_paused AND person.owner <> ''
"""
"""The first job of each person that could run now: one search of an index for each."""
_PAUSED: Final = "SELECT is_paused FROM person WHERE owner = ?"


class Move(StrEnum):
    """Where a job goes among those of the same person."""

    TOP = "top"
    UP = "up"
    DOWN = "down"
    BOTTOM = "bottom"


@dataclass(frozen=True, kw_only=True)
class InLine:
    """A job that could run now, in the few numbers that its turn and its length depend on."""

    id: JobId
    waiting: Waiting
    family: str
    pixels: int
    effort: float


class Order:
    """Who comes when. Usable from any thread; every change is durable when its method returns and
    raises DiskFull when it could not be made."""

    def __init__(self, file: Database) -> None:
        self._file: Final = file

    def turns(self, owner: PersonId = NOBODY) -> int:
        """The number of a person's last turn; of nobody, how many there have been."""
        rows = self._file.rows("SELECT last_turn FROM person WHERE owner = ?", owner)
        return int(rows[0][0]) if rows else 0

    def in_line(self, now: float, most: int | None = None) -> list[InLine]:
        """The jobs that could run now, each person's in their own order, of each so many at most.
        A pause of the whole queue changes nothing: all of them wait for its end."""
        people = self._file.rows(
            "SELECT owner, last_turn, since FROM person WHERE NOT is_paused AND owner <> ''"
        )
        query = "SELECT id, seq, model, priority, family, pixels, effort FROM job"
        query += f" WHERE {READY} AND owner = ?2 ORDER BY place, seq LIMIT ?3"
        return [
            _in_line(row, *person)
            for person in people
            for row in self._file.rows(query, now, person[0], -1 if most is None else most)
        ]

    def is_queue_paused(self) -> bool:
        """Whether nothing new is begun, whoever asked for it."""
        return self.is_paused(NOBODY)

    def is_paused(self, owner: PersonId) -> bool:
        """Whether all of a person's jobs wait until they say otherwise."""
        return (1,) in self._file.rows(_PAUSED, owner)

    def queued(self, owner: PersonId) -> int:
        """How many jobs of a person wait, for whatever reason."""
        query = "SELECT count(*) FROM job WHERE state = 'queued' AND owner = ?"
        return int(self._file.rows(query, owner)[0][0])

    def people(self) -> list[tuple[PersonId, int, bool]]:
        """Who has jobs that wait: how many, and whether all of theirs are paused; in the order in
        which their turns would come."""
        return [
            (PersonId(owner), count, bool(paused))
            for owner, count, paused in self._file.rows(
                "SELECT owner, (SELECT count(*) FROM job WHERE state = 'queued' AND"
                " job.owner = person.owner) AS jobs, is_paused FROM person"
                " WHERE jobs AND owner <> '' ORDER BY last_turn, owner"
            )
        ]

    def pause_person(self, owner: PersonId, *, is_paused: bool) -> None:
        """Hold all of a person's jobs that wait, or let them go on; NOBODY means everybody's."""
        with self._file.changing() as rows:
            know(rows, owner)
            rows.execute("UPDATE person SET is_paused = ? WHERE owner = ?", (is_paused, owner))

    def pause_job(self, id: JobId, *, is_paused: bool) -> None:
        """Hold a job that waits, or let it go on. One that does not wait stays as it is."""
        self._set(id, "is_paused", is_paused)

    def not_before(self, id: JobId, at: float) -> None:
        """Let a job that waits begin at that time at the earliest; 0 for any time."""
        self._set(id, "not_before", at)

    def move(self, id: JobId, where: Move) -> None:
        """Move a job that waits among those of the same person."""
        with self._file.changing() as rows:
            found = rows.execute(
                "SELECT seq, owner, place FROM job WHERE id = ? AND state = 'queued'", (id,)
            ).fetchone()
            if found is not None:
                _move(rows, where, *found)

    def put_first(self, owner: PersonId) -> None:
        """Let a person have the next turn, whoever waits; the owner of the server may."""
        with self._file.changing() as rows:
            know(rows, owner)
            rows.execute(
                "UPDATE person SET last_turn = (SELECT min(last_turn) FROM person"
                " WHERE owner <> '') - 1 WHERE owner = ?",
                (owner,),
            )

    def _set(self, id: JobId, column: str, value: object) -> None:
        with self._file.changing() as rows:
            rows.execute(
                f"UPDATE job SET {column} = ? WHERE id = ? AND state = 'queued'", (value, id)
            )


def waiting(rows: sqlite3.Connection, now: float) -> list[Waiting]:
    """Everybody with a job that could run now; nobody while the whole queue is paused. One
    look-up a person, however many jobs they have."""
    if rows.execute(_PAUSED, (NOBODY,)).fetchone()[0]:
        return []
    return [_waiting(row) for row in rows.execute(HEADS, (now,))]


def take_turn(rows: sqlite3.Connection, owner: PersonId) -> None:
    """Note that a person is served."""
    rows.execute("UPDATE person SET last_turn = last_turn + 1 WHERE owner = ''")
    rows.execute(
        "UPDATE person SET last_turn = (SELECT last_turn FROM person WHERE owner = '')"
        " WHERE owner = ?",
        (owner,),
    )


def know(rows: sqlite3.Connection, owner: PersonId) -> None:
    """See that a person has a row."""
    rows.execute("INSERT OR IGNORE INTO person (owner) VALUES (?)", (owner,))


def begin_to_wait(rows: sqlite3.Connection, owner: PersonId) -> None:
    """Note from which turn on a person waits; call it before a job of theirs is added."""
    know(rows, owner)
    rows.execute(
        "UPDATE person SET since = (SELECT last_turn FROM person WHERE owner = '') WHERE owner = ?1"
        " AND NOT EXISTS (SELECT 1 FROM job WHERE state = 'queued' AND owner = ?1)",
        (owner,),
    )


def next_place(rows: sqlite3.Connection, owner: PersonId) -> int:
    """The place behind all of a person's jobs, and behind all that were moved."""
    (place,) = rows.execute(
        "SELECT max((SELECT ifnull(max(seq), 0) FROM job), (SELECT ifnull(max(place), 0) FROM job"
        " WHERE state = 'queued' AND owner = ?)) + 1",
        (owner,),
    ).fetchone()
    return int(place)


def first_place(rows: sqlite3.Connection, owner: PersonId) -> int:
    """The place before all of a person's jobs that wait."""
    query = "SELECT min(place) FROM job WHERE state = 'queued' AND owner = ?"
    (first,) = rows.execute(query, (owner,)).fetchone()
    return next_place(rows, owner) if first is None else int(first) - 1


def _move(rows: sqlite3.Connection, where: Move, seq: int, owner: PersonId, place: int) -> None:
    mine = "FROM job WHERE state = 'queued' AND owner = ?"
    if where is Move.BOTTOM:
        _put(rows, seq, next_place(rows, owner))
    elif where is Move.TOP:
        _put(rows, seq, first_place(rows, owner))
    else:
        sign, way = ("<", "DESC") if where is Move.UP else (">", "ASC")
        other = rows.execute(
            f"SELECT seq, place {mine} AND (place, seq) {sign} (?, ?)"
            f" ORDER BY place {way}, seq {way} LIMIT 1",
            (owner, place, seq),
        ).fetchone()
        if other is not None:
            _put(rows, seq, other[1])
            _put(rows, other[0], place)


def _put(rows: sqlite3.Connection, seq: int, place: int) -> None:
    rows.execute("UPDATE job SET place = ? WHERE seq = ?", (place, seq))


def _in_line(row: Sequence[Any], owner: PersonId, last_turn: int, since: int) -> InLine:
    id, job, model, priority, family, pixels, effort = row
    waiting = _waiting((owner, job, model, priority, last_turn, since))
    return InLine(id=id, waiting=waiting, family=family, pixels=pixels, effort=effort)


def _waiting(row: Sequence[Any]) -> Waiting:
    owner, job, model, priority, last_turn, since = row
    return Waiting(
        owner=owner,
        job=job,
        model=model,
        priority=priority,
        last_turn=last_turn,
        since=max(since, last_turn),
    )
