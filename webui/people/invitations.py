"""Links that let somebody in: to make an account, as a guest, or to choose a new password."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from typing import Final

from webui.core.errors import InvalidRequest, NotFound
from webui.core.job import PersonId
from webui.core.person import Role
from webui.people.account import Invitation, InvitationKind
from webui.people.book import Book
from webui.people.diary import Event, EventKind, note
from webui.people.names import clean_text
from webui.people.tokens import digest, new_id, new_token

MOST_INVITATIONS: Final = 500
MOST_NOTE: Final = 100


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What an invitation is to be."""

    kind: InvitationKind = InvitationKind.JOIN
    role: Role = Role.ARTIST
    uses: int = 1
    expires_s: float
    note: str = ""
    person_id: PersonId | None = None


class Gone(NotFound):
    """The link leads nowhere any more; its token is not repeated."""

    def __init__(self) -> None:
        super().__init__("invitation", "")
        self.args = (
            "This link was used up, has expired or was withdrawn. Ask the owner of this studio "
            "for a new one.",
        )


class Invitations:
    """The open invitations. Usable from any thread."""

    def __init__(self, book: Book) -> None:
        self._book: Final = book

    def make(self, offer: Offer, *, by: PersonId) -> Invitation:
        """A new invitation, with its token. Raises InvalidRequest."""
        with self._book.changing() as rows:
            return self.make_in(rows, offer, by=by)

    def make_in(self, rows: sqlite3.Connection, offer: Offer, *, by: PersonId) -> Invitation:
        """As `make`, in a transaction of somebody else's."""
        if offer.kind is InvitationKind.GUEST and offer.role is Role.OWNER:
            raise InvalidRequest(
                "role", "A guest can't be an owner. Invite an owner to make an account instead."
            )
        if len(self.open()) >= MOST_INVITATIONS:
            raise InvalidRequest(
                "uses", f"There are {MOST_INVITATIONS} open invitations. Revoke some first."
            )
        token, now = new_token(), self._book.now()
        made = Invitation(
            id=new_id(),
            kind=offer.kind,
            role=offer.role,
            uses_left=offer.uses,
            expires_at=now + offer.expires_s,
            made_by=by,
            made_at=now,
            note=clean_text("note", offer.note[:MOST_NOTE]),
            person_id=offer.person_id,
            token=token,
        )
        rows.execute(
            "INSERT INTO invitation VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                made.id, digest(token), made.kind, made.role, made.uses_left,
                made.expires_at, by, now, made.note, made.person_id,
            ),
        )  # fmt: skip
        words = f"{made.kind}, {made.role}, {made.uses_left} uses"
        subject = made.person_id or ""
        note(rows, now, Event(kind=EventKind.INVITED, actor=by, subject=subject, words=words))
        return made

    def open(self) -> list[Invitation]:
        """Those that can still be used, newest first."""
        now = self._book.now()
        live = [i for i in self._book.accounts.invitations.values() if i.is_live(now)]
        return sorted(live, key=lambda i: (i.made_at, i.id), reverse=True)

    def find(self, token: str) -> Invitation:
        """The invitation of a link. Raises NotFound when it was used up, is over or never was."""
        found = self._book.accounts.invitations.get(digest(token))
        if found is None or not found.is_live(self._book.now()):
            raise Gone()
        return replace(found, token=token)

    def use_in(self, rows: sqlite3.Connection, invitation: Invitation) -> None:
        """Use it once, in the transaction of what comes of it. Raises NotFound."""
        used = rows.execute(
            "UPDATE invitation SET uses_left = uses_left - 1"
            " WHERE id = ? AND uses_left > 0 AND expires_at > ?",
            (invitation.id, self._book.now()),
        )
        if used.rowcount != 1:
            raise Gone()
        rows.execute("DELETE FROM invitation WHERE id = ? AND uses_left = 0", (invitation.id,))

    def revoke(self, id: str, *, by: PersonId) -> None:
        """Nobody can use it any more; whoever did stays. Raises NotFound."""
        with self._book.changing() as rows:
            if rows.execute("DELETE FROM invitation WHERE id = ?", (id,)).rowcount != 1:
                raise NotFound("invitation", id)
            note(rows, self._book.now(), Event(kind=EventKind.INVITATION_REVOKED, actor=by))

    def sweep(self) -> None:
        """Delete those whose time is over."""
        now = self._book.now()
        if any(i.expires_at <= now for i in self._book.accounts.invitations.values()):
            with self._book.changing() as rows:
                rows.execute("DELETE FROM invitation WHERE expires_at <= ?", (now,))
