"""API keys: ways in for programs, each for one person and at most their role."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from webui.core.errors import InvalidRequest, NotFound, NotPermitted
from webui.core.job import PersonId
from webui.core.person import Role
from webui.people.account import ApiKey, Person
from webui.people.book import Book
from webui.people.diary import Event, EventKind, note
from webui.people.names import clean_text
from webui.people.tokens import KEY_PREFIX, digest, new_id, new_key

MOST_KEYS: Final = 50
"""Of one person."""


@dataclass(frozen=True, kw_only=True)
class NewKey:
    """A key that was just made; the secret is shown this once."""

    key: ApiKey
    secret: str


class Keys:
    """The keys of everybody. Usable from any thread."""

    def __init__(self, book: Book) -> None:
        self._book: Final = book

    def make(
        self, person_id: PersonId, name: str, role: Role, expires_s: float | None = None
    ) -> NewKey:
        """A new key of a person; with `expires_s` it is good for so many seconds. Raises
        InvalidRequest for a role above the person's, NotPermitted for nobody."""
        person = self._book.accounts.people.get(person_id)
        if person is None:
            raise NotPermitted(
                "Nobody has an account here yet. Make the owner's account first, at /first-run."
            )
        if not person.role.covers(role):
            raise InvalidRequest(
                "role",
                f"A key for {_article(role)} can do more than you, {_article(person.role)}. "
                "Choose your own role or one below it.",
            )
        if len(self.of(person_id)) >= MOST_KEYS:
            raise InvalidRequest("name", f"You have {MOST_KEYS} keys already. Revoke one first.")
        secret, now = new_key(), self._book.now()
        key = ApiKey(
            id=new_id(),
            person_id=person_id,
            name=clean_text("name", name) or "key",
            role=role,
            created_at=now,
            expires_at=None if expires_s is None else now + expires_s,
            used_at=None,
        )
        self._add(key, secret)
        return NewKey(key=key, secret=secret)

    def find(self, secret: str) -> tuple[ApiKey, Person] | None:
        """Whose key this is; None when it is over or nobody's. Never waits."""
        if not secret.startswith(KEY_PREFIX):
            return None
        accounts, now = self._book.accounts, self._book.now()
        key = accounts.keys.get(digest(secret))
        person = accounts.people.get(key.person_id) if key else None
        if key is None or person is None or not (key.is_live(now) and person.is_live(now)):
            return None
        self._book.saw(key.id)
        return key, person

    def of(self, person_id: PersonId) -> list[ApiKey]:
        """A person's keys, newest first."""
        return [key for key in self.all() if key.person_id == person_id]

    def all(self) -> list[ApiKey]:
        """Everybody's keys, newest first."""
        now = self._book.now()
        found = [
            replace(key, used_at=self._book.seen_at(key.id, key.used_at or 0) or None)
            for key in self._book.accounts.keys.values()
            if key.is_live(now)
        ]
        return sorted(found, key=lambda key: (key.created_at, key.id), reverse=True)

    def revoke(self, id: str, *, by: PersonId) -> None:
        """End a key at once. Raises NotFound."""
        key = next((key for key in self._book.accounts.keys.values() if key.id == id), None)
        if key is None:
            raise NotFound("key", id)
        with self._book.changing() as rows:
            rows.execute("DELETE FROM key WHERE id = ?", (id,))
            event = Event(
                kind=EventKind.KEY_REVOKED, actor=by, subject=key.person_id, words=key.name
            )
            note(rows, self._book.now(), event)

    def sweep(self) -> None:
        """Delete those whose time is over."""
        now = self._book.now()
        over = [key.id for key in self._book.accounts.keys.values() if not key.is_live(now)]
        if over:
            with self._book.changing() as rows:
                rows.executemany("DELETE FROM key WHERE id = ?", [(id,) for id in over])

    def _add(self, key: ApiKey, secret: str) -> None:
        with self._book.changing() as rows:
            rows.execute(
                "INSERT INTO key VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    key.id, digest(secret), key.person_id, key.name, key.role,
                    key.created_at, key.expires_at, None,
                ),
            )  # fmt: skip
            event = Event(
                kind=EventKind.KEY_MADE, actor=key.person_id, subject=key.person_id, words=key.name
            )
            note(rows, self._book.now(), event)


def _article(role: Role) -> str:
    return f"an {role}" if role[0] in "ao" else f"a {role}"
