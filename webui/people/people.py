"""The accounts of a studio: who there is, what they may do, and how they come in.

What hashes a password is slow on purpose; from an event loop it goes through `desk`. Everything
else answers at once, and may be called from any thread.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from webui.core.errors import InvalidRequest, NotPermitted
from webui.core.job import LOCAL, PersonId
from webui.core.person import Role
from webui.people.account import Invitation, InvitationKind, Person, Where
from webui.people.book import Book
from webui.people.diary import Event, EventKind, Line, note, read_lines
from webui.people.faults import TooManyTries, WrongPassword
from webui.people.invitations import Invitations, Offer
from webui.people.keeper import Keeper
from webui.people.keys import Keys
from webui.people.limiter import Limiter
from webui.people.names import clean_name, fold
from webui.people.passwords import Desk, Passwords, check_password
from webui.people.roster import Roster, has_owner_in, name_taken
from webui.people.sessions import Sessions, SignedIn
from webui.people.tarrying import Tarrying
from webui.people.tokens import new_id

log = logging.getLogger(__name__)

RESET_S: Final = 24 * 3600.0
"""So long the link for a new password is good."""


class People:
    """All accounts, in one file. Usable from any thread."""

    def __init__(
        self,
        path: Path,
        *,
        passwords: Passwords | None = None,
        limiter: Limiter | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Opens or makes the file at `path`. `now` gives seconds since 1970."""
        self._book: Final = Book(path, now)
        self._passwords: Final = passwords or Passwords()
        self.limiter: Final = limiter or Limiter()
        self.tarrying: Final = Tarrying()
        self.desk: Final = Desk()
        self.roster: Final = Roster(self._book)
        self.sessions: Final = Sessions(self._book)
        self.keys: Final = Keys(self._book)
        self.invitations: Final = Invitations(self._book)
        self._keeper: Final = Keeper(self._book, self.sweep)

    def start(self) -> None:
        """Keep the accounts in order from now on: end what is over, see changes by others."""
        self._keeper.start()

    def close(self) -> None:
        """Write what is left to write and close the file."""
        self._keeper.close()
        self.desk.close()
        self._book.close()

    def on_revoked(self, watcher: Callable[[str], None]) -> None:
        """Call `watcher` with the id of each credential (see `Caller.credential`) that is no
        longer good, or that is good for less than before. From any thread."""
        self._book.on_revoked(watcher)

    def on_gone(self, watcher: Callable[[PersonId], None]) -> None:
        """Call `watcher` with the id of each person who is kept out or removed. From any
        thread."""
        self._book.on_gone(watcher)

    def has_owner(self) -> bool:
        """Whether somebody can sign in as an owner."""
        return self.roster.has_owner()

    def create_owner(self, name: str, password: str) -> Person:
        """The first owner; everything made before there were accounts is theirs. Hashes in the
        calling thread. Raises InvalidRequest, and NotPermitted when there is an owner already."""
        name = clean_name(name)
        check_password(password, name)
        hash = self._passwords.hash(password)
        with self._book.changing() as rows:
            if has_owner_in(rows):
                raise NotPermitted(
                    "This studio has an owner already. Sign in, or ask them for an invitation."
                )
            is_taken = rows.execute("SELECT 1 FROM person WHERE id = ?", (LOCAL,)).fetchone()
            owner = self._new(name, Role.OWNER, hash, id=None if is_taken else LOCAL)
            self.roster.insert_in(rows, owner, by=owner.id)
        log.info("%s is the owner of this studio now.", name)
        return owner

    def seen_at(self, id: PersonId) -> float | None:
        """When a person was last here with a session or a key; None when that is unknown."""
        sessions = [session.seen_at for session in self.sessions.of(id)]
        return max([*sessions, *(key.used_at or 0 for key in self.keys.of(id))], default=0) or None

    def add(self, name: str, role: Role, *, by: PersonId) -> tuple[Person, Invitation]:
        """A new person, and the link by which they choose their password. Raises
        InvalidRequest."""
        person = self._new(clean_name(name), role)
        with self._book.changing() as rows:
            self.roster.insert_in(rows, person, by=by)
            return person, self.invitations.make_in(rows, _reset_offer(person), by=by)

    def reset(self, id: PersonId, *, by: PersonId) -> Invitation:
        """A link by which a person chooses a new password; the old one is good until then.
        Raises NotFound, and InvalidRequest for a guest."""
        person = self.roster.here(id)
        if person.expires_at is not None:
            raise InvalidRequest("id", f"{person.name} is a guest and has no password to reset.")
        return self.invitations.make(_reset_offer(person), by=by)

    def invite(
        self, role: Role, uses: int, expires_s: float, by: PersonId, note: str = ""
    ) -> Invitation:
        """A link by which people make accounts of their own; its token is told this once. Raises
        InvalidRequest."""
        offer = Offer(role=role, uses=uses, expires_s=expires_s, note=note)
        return self.invitations.make(offer, by=by)

    async def check(self, name: str, password: str, address: str) -> Person:
        """The person of this name, if the password is theirs. Hashes at the desk. Raises
        WrongPassword, and TooManyTries before anything is hashed."""
        admitted = self.limiter.admit(address, fold(name))
        try:
            person = await self.desk.run(partial(self._verified, name, password, address))
        except TooManyTries:
            self.limiter.forgive(admitted)
            raise
        if person is None:
            raise WrongPassword
        self.limiter.welcome(admitted)
        return person

    def join(self, token: str, name: str, password: str, where: Where) -> SignedIn:
        """What an invitation promises: an account, a guest or a new password, and a session.
        Hashes in the calling thread. Raises NotFound, InvalidRequest."""
        invitation = self.invitations.find(token)
        if invitation.person_id is not None:
            return self._join_again(invitation, invitation.person_id, password, where)
        name, hash = clean_name(name), ""
        if self.roster.find(name) is not None:
            raise name_taken(name)
        if invitation.kind is InvitationKind.JOIN:
            check_password(password, name)
            hash = self._passwords.hash(password)
        expires_at = None if hash else invitation.expires_at
        person = self._new(name, invitation.role, hash, expires_at)
        with self._book.changing() as rows:
            self.invitations.use_in(rows, invitation)
            self.roster.insert_in(rows, person, by=person.id)
            return self.sessions.begin_in(rows, person, where)

    def set_password(self, id: PersonId, password: str, *, by: PersonId, keep: str = "") -> None:
        """Change a password and end all sessions but the one to `keep`. Hashes in the calling
        thread. Raises NotFound, InvalidRequest."""
        person = self.roster.here(id)
        check_password(password, person.name)
        hash = self._passwords.hash(password)
        with self._book.changing() as rows:
            self._set_hash(rows, id, hash, by, keep)

    def diary(self, limit: int = 100, before: int | None = None) -> list[Line]:
        """Who signed in and what was changed, newest first."""
        return read_lines(self._book, limit, before)

    def follow(self) -> None:
        """See what another program, such as the command line, changed."""
        self._book.follow()

    def sweep(self) -> None:
        """End what is over: sessions, keys, invitations, the stay of guests."""
        self.sessions.sweep()
        self.keys.sweep()
        self.invitations.sweep()
        self.roster.sweep()

    def _new(
        self,
        name: str,
        role: Role,
        hash: str = "",
        expires_at: float | None = None,
        id: PersonId | None = None,
    ) -> Person:
        return Person(
            id=id or PersonId(new_id()),
            name=name,
            role=role,
            hash=hash,
            created_at=self._book.now(),
            expires_at=expires_at,
        )

    def _verified(self, name: str, password: str, address: str) -> Person | None:
        """The person, if this is their password. As slow for an unknown name as for a known."""
        person = self.roster.find_live(name)
        hash = person.hash if person is not None else ""
        if self._passwords.is_right(password, hash):
            # What changed meanwhile counts: the account as it is now, if it is the same still.
            now = self.roster.find_live(name)
            if now is not None and now.hash == hash:
                return now
        subject = person.id if person is not None else ""
        event = Event(kind=EventKind.SIGN_IN_FAILED, subject=subject, address=address)
        with self._book.noting() as rows:
            note(rows, self._book.now(), event)
        return None

    def _join_again(
        self, invitation: Invitation, id: PersonId, password: str, where: Where
    ) -> SignedIn:
        person = self.roster.here(id)
        if person.is_disabled:
            raise NotPermitted("This account is switched off. Ask the owner of this studio.")
        check_password(password, person.name)
        hash = self._passwords.hash(password)
        with self._book.changing() as rows:
            self.invitations.use_in(rows, invitation)
            self._set_hash(rows, id, hash, by=id)
            return self.sessions.begin_in(rows, person, where)

    def _set_hash(
        self, rows: sqlite3.Connection, id: PersonId, hash: str, by: PersonId, keep: str = ""
    ) -> None:
        """Write the hash and delete the sessions that it ends."""
        rows.execute("DELETE FROM session WHERE person_id = ? AND id != ?", (id, keep))
        # Links for yet another password would outlive the change.
        rows.execute("DELETE FROM invitation WHERE person_id = ?", (id,))
        rows.execute("UPDATE person SET hash = ? WHERE id = ? AND NOT is_removed", (hash, id))
        note(
            rows,
            self._book.now(),
            Event(kind=EventKind.PASSWORD_CHANGED, actor=by, subject=id),
        )


def _reset_offer(person: Person) -> Offer:
    return Offer(
        kind=InvitationKind.RESET, role=person.role, expires_s=RESET_S, person_id=person.id
    )
