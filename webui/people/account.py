"""The things of the accounts: a person, and what shows who they are. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from webui.core.job import PersonId
from webui.core.person import Role

SESSION_S: Final = 7 * 24 * 3600.0
"""So long after its last use a session ends."""
MOST_SESSIONS: Final = 25
"""Of one person; the one unused for longest makes room."""


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody with an account."""

    id: PersonId
    name: str
    role: Role
    created_at: float
    is_disabled: bool = False
    is_removed: bool = False
    """Gone for good; the row stays, because pictures still name it as their owner."""
    expires_at: float | None = None
    """When a guest's time is over; None for everyone else."""
    hash: str = field(default="", repr=False)
    """Of the password; "" for guests and for those who have not chosen one yet."""

    def is_live(self, now: float) -> bool:
        """Whether this person may come in."""
        is_over = self.expires_at is not None and self.expires_at <= now
        return not (self.is_disabled or self.is_removed or is_over)


@dataclass(frozen=True, kw_only=True)
class Where:
    """From where somebody came."""

    address: str = ""
    browser: str = ""
    """In words: "Firefox on Windows"."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """A browser that signed in."""

    id: str
    person_id: PersonId
    created_at: float
    seen_at: float
    where: Where


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """A program's way in, for somebody."""

    id: str
    person_id: PersonId
    name: str
    role: Role
    """At most; a person whose role is lower now lowers it."""
    created_at: float
    expires_at: float | None
    used_at: float | None

    def is_live(self, now: float) -> bool:
        """Whether its time is not over."""
        return self.expires_at is None or self.expires_at > now


def password_credential(id: PersonId) -> str:
    """The credential of somebody who sends name and password with each request."""
    return f"password-{id}"


class InvitationKind(StrEnum):
    """What comes of an invitation."""

    JOIN = "join"
    """A person with a password of their own."""
    GUEST = "guest"
    """A person without a password, until the invitation expires."""
    RESET = "reset"
    """A new password for somebody who is there already."""


@dataclass(frozen=True, kw_only=True)
class Invitation:
    """A link that lets somebody in. The token is known only to those who got the link."""

    id: str
    kind: InvitationKind
    role: Role
    uses_left: int
    expires_at: float
    made_by: PersonId
    made_at: float
    note: str = ""
    person_id: PersonId | None = None
    """Whose password a RESET sets."""
    token: str = field(default="", repr=False)
    """Only in what `invite` gives back: it is not kept."""

    def is_live(self, now: float) -> bool:
        """Whether it can still be used."""
        return self.uses_left > 0 and self.expires_at > now


@dataclass(frozen=True, kw_only=True)
class Accounts:
    """All accounts at one moment. Credentials are found by the digest of what is shown."""

    people: Mapping[PersonId, Person]
    by_name: Mapping[str, Person]
    """By folded name; removed people are not in it."""
    sessions: Mapping[bytes, Session]
    keys: Mapping[bytes, ApiKey]
    invitations: Mapping[bytes, Invitation]
