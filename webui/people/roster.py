"""The people there are, and their roles. There is always an owner once there was one."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Final

from webui.core.errors import InvalidRequest, NotFound, NotPermitted
from webui.core.job import PersonId
from webui.core.person import Role
from webui.people.account import Person
from webui.people.book import Book
from webui.people.diary import Event, EventKind, note
from webui.people.names import fold

_OWNERS: Final = "role = 'owner' AND hash != '' AND NOT is_disabled AND NOT is_removed"
"""Who can sign in and run the studio: one who has not chosen a password yet can't."""


class Roster:
    """Everybody with an account. Usable from any thread."""

    def __init__(self, book: Book) -> None:
        self._book: Final = book

    def has_owner(self) -> bool:
        """Whether somebody can sign in as an owner."""
        return any(_is_owner(person) for person in self._book.accounts.people.values())

    def get(self, id: PersonId) -> Person:
        """A person, removed ones too. Raises NotFound."""
        person = self._book.accounts.people.get(id)
        if person is None:
            raise NotFound("account", id)
        return person

    def here(self, id: PersonId) -> Person:
        """A person who was not removed. Raises NotFound."""
        person = self.get(id)
        if person.is_removed:
            raise NotFound("account", id)
        return person

    def is_gone(self, id: PersonId) -> bool:
        """Whether this was somebody who was removed: what they made is shown to nobody."""
        person = self._book.accounts.people.get(id)
        return person is not None and person.is_removed

    def find(self, name: str) -> Person | None:
        """The person of this name; None when there is none."""
        return self._book.accounts.by_name.get(fold(name))

    def find_live(self, name: str) -> Person | None:
        """The person of this name, if they may come in now; None otherwise."""
        person = self.find(name)
        return person if person is not None and person.is_live(self._book.now()) else None

    def name_of(self, id: str) -> str:
        """What to call whoever has this id; "" for nobody."""
        person = self._book.accounts.people.get(PersonId(id))
        return person.name if person is not None else ""

    def all(self, *, removed: bool = False) -> list[Person]:
        """Everybody there is, in the order they came; or those who were removed."""
        people = self._book.accounts.people.values()
        return [person for person in people if person.is_removed == removed]

    def insert_in(self, rows: sqlite3.Connection, person: Person, *, by: PersonId) -> None:
        """Write a new person, in a transaction. Raises InvalidRequest when the name is taken."""
        try:
            rows.execute(
                "INSERT INTO person (id, name, folded, role, hash, created_at, expires_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    person.id, person.name, fold(person.name), person.role, person.hash,
                    person.created_at, person.expires_at,
                ),
            )  # fmt: skip
        except sqlite3.IntegrityError as error:
            raise name_taken(person.name) from error
        words = f"{person.name}, {person.role}"
        event = Event(kind=EventKind.PERSON_ADDED, actor=by, subject=person.id, words=words)
        note(rows, self._book.now(), event)

    def change(
        self,
        id: PersonId,
        *,
        by: PersonId,
        role: Role | None = None,
        is_disabled: bool | None = None,
    ) -> Person:
        """Give a person another role, or keep them out, or let them in again; at once. Raises
        NotFound, and NotPermitted when it would leave no owner."""
        person = self.here(id)
        changed = replace(
            person,
            role=person.role if role is None else role,
            is_disabled=person.is_disabled if is_disabled is None else is_disabled,
        )
        if changed == person:
            return person
        if changed.role is Role.OWNER and person.expires_at is not None:
            raise InvalidRequest(
                "role", f"{person.name} is a guest. Invite them to make an account first."
            )
        with self._book.changing() as rows:
            _check_owners(rows, person, changed)
            rows.execute(
                "UPDATE person SET role = ?, is_disabled = ? WHERE id = ?",
                (changed.role, changed.is_disabled, id),
            )
            if changed.is_disabled:
                rows.execute("DELETE FROM session WHERE person_id = ?", (id,))
            if changed.is_disabled or not changed.role.covers(person.role):
                # Or an owner could keep a link by which to come back as one.
                rows.execute("DELETE FROM invitation WHERE made_by = ?", (id,))
            words = f"{changed.name}, {changed.role}{', disabled' if changed.is_disabled else ''}"
            kind = EventKind.PERSON_CHANGED
            note(rows, self._book.now(), Event(kind=kind, actor=by, subject=id, words=words))
        return changed

    def remove(self, id: PersonId, *, by: PersonId) -> None:
        """Take a person's account away for good. Their name is free again; what they made stays
        on disk, theirs, and is shown to nobody. Raises NotFound, NotPermitted."""
        person = self.here(id)
        with self._book.changing() as rows:
            _check_owners(rows, person, replace(person, is_removed=True))
            for table in ("session", "key", "invitation"):
                rows.execute(f"DELETE FROM {table} WHERE person_id = ?", (id,))
            rows.execute("DELETE FROM invitation WHERE made_by = ?", (id,))
            rows.execute(
                "UPDATE person SET is_removed = 1, folded = NULL, hash = '' WHERE id = ?", (id,)
            )
            kind = EventKind.PERSON_REMOVED
            note(rows, self._book.now(), Event(kind=kind, actor=by, subject=id, words=person.name))

    def sweep(self) -> None:
        """Remove guests whose time is over."""
        now = self._book.now()
        for guest in self.all():
            if guest.expires_at is not None and guest.expires_at <= now:
                self.remove(guest.id, by=guest.id)


def has_owner_in(rows: sqlite3.Connection) -> bool:
    """Whether there is an owner, within a transaction."""
    return rows.execute(f"SELECT 1 FROM person WHERE {_OWNERS}").fetchone() is not None


def name_taken(name: str) -> InvalidRequest:
    """The refusal of a second person of the same name."""
    return InvalidRequest("name", f"Somebody here is called “{name}” already. Choose another name.")


def _is_owner(person: Person) -> bool:
    is_here = not (person.is_disabled or person.is_removed)
    return person.role is Role.OWNER and bool(person.hash) and is_here


def _check_owners(rows: sqlite3.Connection, person: Person, changed: Person) -> None:
    """Raises NotPermitted when the change would leave nobody who can run the studio."""
    if not _is_owner(person) or _is_owner(changed):
        return
    if not rows.execute(
        f"SELECT 1 FROM person WHERE {_OWNERS} AND id != ?", (person.id,)
    ).fetchone():
        raise NotPermitted(
            f"{person.name} is the only owner of this studio. Make somebody else an owner first."
        )
