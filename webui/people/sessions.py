"""Browsers that signed in. A session ends a week after its last use, or when it is revoked."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from webui.core.errors import NotFound
from webui.core.job import PersonId
from webui.people.account import MOST_SESSIONS, SESSION_S, Person, Session, Where
from webui.people.book import Book
from webui.people.diary import Event, EventKind, note
from webui.people.tokens import digest, new_id, new_token


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """What signing in gives: the token is for the browser's cookie and is kept nowhere else."""

    person: Person
    session: Session
    token: str


class Sessions:
    """The sessions of everybody. Usable from any thread."""

    def __init__(self, book: Book) -> None:
        self._book: Final = book

    def begin(self, person: Person, where: Where) -> SignedIn:
        """A new session, with a token of its own whatever the browser showed before."""
        with self._book.changing() as rows:
            return self.begin_in(rows, person, where)

    def begin_in(self, rows: sqlite3.Connection, person: Person, where: Where) -> SignedIn:
        """As `begin`, in a transaction of somebody else's. A person's session that was unused for
        longest makes room."""
        token, now = new_token(), self._book.now()
        session = Session(
            id=new_id(), person_id=person.id, created_at=now, seen_at=now, where=where
        )
        rows.execute(
            "INSERT INTO session VALUES (?, ?, ?, ?, ?, ?, ?)",
            (session.id, digest(token), person.id, now, now, where.address, where.browser),
        )
        others = sorted(
            (other for other in self.of(person.id) if other.id != session.id),
            key=lambda other: other.seen_at,
            reverse=True,
        )
        delete_sessions(rows, [other.id for other in others[MOST_SESSIONS - 1 :]])
        note(
            rows,
            now,
            Event(
                kind=EventKind.SIGNED_IN,
                actor=person.id,
                subject=person.id,
                address=where.address,
                words=where.browser,
            ),
        )
        return SignedIn(person=person, session=session, token=token)

    def find(self, token: str) -> tuple[Session, Person] | None:
        """Whose session this is; None when it is over or nobody's. Never waits."""
        accounts, now = self._book.accounts, self._book.now()
        session = accounts.sessions.get(digest(token))
        if session is None or self._is_over(session, now):
            return None
        person = accounts.people.get(session.person_id)
        if person is None or not person.is_live(now):
            return None
        self._book.saw(session.id)
        return session, person

    def of(self, person_id: PersonId) -> list[Session]:
        """A person's sessions, the one used last first."""
        now = self._book.now()
        found = [
            replace(session, seen_at=self._book.seen_at(session.id, session.seen_at))
            for session in self._book.accounts.sessions.values()
            if session.person_id == person_id and not self._is_over(session, now)
        ]
        return sorted(found, key=lambda session: session.seen_at, reverse=True)

    def end(self, id: str, person_id: PersonId, *, by: PersonId, is_sign_out: bool = False) -> None:
        """End one session of a person. Raises NotFound."""
        if id not in {session.id for session in self.of(person_id)}:
            raise NotFound("session", id)
        kind = EventKind.SIGNED_OUT if is_sign_out else EventKind.SESSION_ENDED
        self._end([id], Event(kind=kind, actor=by, subject=person_id))

    def end_all(self, person_id: PersonId, *, by: PersonId, keep: str = "") -> int:
        """End a person's sessions but the one to `keep`; how many that were."""
        ids = [session.id for session in self.of(person_id) if session.id != keep]
        if ids:
            self._end(ids, Event(kind=EventKind.SESSION_ENDED, actor=by, subject=person_id))
        return len(ids)

    def end_by_token(self, token: str) -> None:
        """End the session that a browser showed, if there is one: it gets a new one."""
        session = self._book.accounts.sessions.get(digest(token))
        if session is not None:
            person = session.person_id
            self._end([session.id], Event(kind=EventKind.SIGNED_OUT, actor=person, subject=person))

    def sweep(self) -> None:
        """Delete those whose time is over."""
        now = self._book.now()
        over = [s.id for s in self._book.accounts.sessions.values() if self._is_over(s, now)]
        if over:
            with self._book.changing() as rows:
                delete_sessions(rows, over)

    def _end(self, ids: Sequence[str], event: Event) -> None:
        with self._book.changing() as rows:
            delete_sessions(rows, ids)
            note(rows, self._book.now(), event)

    def _is_over(self, session: Session, now: float) -> bool:
        return self._book.seen_at(session.id, session.seen_at) + SESSION_S <= now


def delete_sessions(rows: sqlite3.Connection, ids: Sequence[str]) -> None:
    """Delete sessions by their ids."""
    rows.executemany("DELETE FROM session WHERE id = ?", [(id,) for id in ids])
