"""Who signed in, and who changed what of the accounts. Old lines go: the diary stays short."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from webui.people.book import Book

MOST_LINES: Final = 10_000
MOST_FAILURES: Final = 2_000
"""Kept apart: a flood of wrong passwords must not wash out what else happened."""
MOST_WORDS: Final = 200


class EventKind(StrEnum):
    """What happened."""

    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SIGNED_OUT = "signed_out"
    SESSION_ENDED = "session_ended"
    PASSWORD_CHANGED = "password_changed"
    PERSON_ADDED = "person_added"
    PERSON_CHANGED = "person_changed"
    PERSON_REMOVED = "person_removed"
    KEY_MADE = "key_made"
    KEY_REVOKED = "key_revoked"
    INVITED = "invited"
    INVITATION_REVOKED = "invitation_revoked"


@dataclass(frozen=True, kw_only=True)
class Event:
    """One line. `actor` and `subject` are ids of people, "" where nobody is known."""

    kind: EventKind
    actor: str = ""
    """Who did it."""
    subject: str = ""
    """To whom it was done."""
    address: str = ""
    words: str = ""


@dataclass(frozen=True, kw_only=True)
class Line:
    """An event in its place."""

    seq: int
    at: float
    event: Event


def note(rows: sqlite3.Connection, at: float, event: Event) -> None:
    """Write a line, in the transaction of what it tells of."""
    is_failure = event.kind is EventKind.SIGN_IN_FAILED
    rows.execute(
        "INSERT INTO event (at, is_failure, kind, actor, subject, address, words)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            at, is_failure, event.kind, event.actor, event.subject, event.address,
            event.words[:MOST_WORDS],
        ),
    )  # fmt: skip
    rows.execute(
        "DELETE FROM event WHERE is_failure = ?1 AND seq <= (SELECT seq FROM event"
        " WHERE is_failure = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
        (is_failure, MOST_FAILURES if is_failure else MOST_LINES),
    )


def read_lines(book: Book, limit: int, before: int | None = None) -> list[Line]:
    """The newest lines, or those before one, newest first."""
    found = book.rows(
        "SELECT seq, at, kind, actor, subject, address, words FROM event WHERE seq < ?"
        " ORDER BY seq DESC LIMIT ?",
        before if before is not None else 1 << 62,
        limit,
    )
    return [
        Line(
            seq=seq,
            at=at,
            event=Event(
                kind=EventKind(kind), actor=actor, subject=subject, address=address, words=words
            ),
        )
        for seq, at, kind, actor, subject, address, words in found
    ]
