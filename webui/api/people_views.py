"""What the API shows of accounts. No hash and no token is in any of it, but for a link or key that
was just made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from webui.core.person import Caller
from webui.people.account import ApiKey, Invitation, Person, Session
from webui.people.diary import Line
from webui.people.people import People


@dataclass(frozen=True, kw_only=True)
class MeView:
    """Whoever asks. `via` is "local" where nobody signs in, else "session", "key" or
    "password"; `expires_at` is when a guest's stay ends."""

    id: str
    name: str
    role: str
    via: str
    credential: str
    has_password: bool
    expires_at: float | None


@dataclass(frozen=True, kw_only=True)
class PersonView:
    """Somebody with an account. `has_password` is false for guests, and for people who have not
    used their link yet."""

    id: str
    name: str
    role: str
    is_disabled: bool
    is_guest: bool
    has_password: bool
    created_at: float
    expires_at: float | None
    seen_at: float | None


@dataclass(frozen=True, kw_only=True)
class LinkView:
    """A link that was just made. Its token is shown this once."""

    id: str
    kind: str
    path: str
    expires_at: float


@dataclass(frozen=True, kw_only=True)
class NewPersonView:
    """A person who was just added, and the link by which they choose their password."""

    person: PersonView
    link: LinkView


@dataclass(frozen=True, kw_only=True)
class SessionView:
    """A browser that is signed in."""

    id: str
    address: str
    browser: str
    created_at: float
    seen_at: float
    is_this: bool


@dataclass(frozen=True, kw_only=True)
class KeyView:
    """An API key, without its secret."""

    id: str
    name: str
    role: str
    person_id: str
    person: str
    created_at: float
    expires_at: float | None
    used_at: float | None


@dataclass(frozen=True, kw_only=True)
class NewKeyView(KeyView):
    """A key that was just made. `secret` is shown this once."""

    secret: str


@dataclass(frozen=True, kw_only=True)
class InvitationView:
    """An open invitation, without its link."""

    id: str
    kind: str
    role: str
    uses_left: int
    expires_at: float
    made_at: float
    made_by: str
    note: str


@dataclass(frozen=True, kw_only=True)
class NewInvitationView(InvitationView):
    """An invitation that was just made. `path` goes behind the address of this studio, and is
    shown this once."""

    path: str


@dataclass(frozen=True, kw_only=True)
class DiaryLine:
    """Something that happened to accounts. `actor` did it, `subject` it was done to."""

    seq: int
    at: float
    kind: str
    actor: str
    subject: str
    address: str
    words: str


@dataclass(frozen=True, kw_only=True)
class DiaryPage:
    """Lines, newest first. `next` goes into `before` for those that follow; None at the end."""

    lines: Sequence[DiaryLine]
    next: int | None


def me_view(caller: Caller, person: Person | None) -> MeView:
    """Whoever asks; `person` is None where nobody has an account."""
    return MeView(
        id=caller.id,
        name=person.name if person else caller.name,
        role=caller.role,
        via=caller.via,
        credential=caller.credential,
        has_password=bool(person and person.hash),
        expires_at=person.expires_at if person else None,
    )


def person_view(people: People, person: Person) -> PersonView:
    """A person for the list."""
    return PersonView(
        id=person.id,
        name=person.name,
        role=person.role,
        is_disabled=person.is_disabled,
        is_guest=person.expires_at is not None,
        has_password=bool(person.hash),
        created_at=person.created_at,
        expires_at=person.expires_at,
        seen_at=people.seen_at(person.id),
    )


def link_view(made: Invitation) -> LinkView:
    """A link that was just made."""
    return LinkView(id=made.id, kind=made.kind, path=path_of(made), expires_at=made.expires_at)


def path_of(made: Invitation) -> str:
    """Where an invitation that was just made is taken up."""
    return f"/join/{made.token}"


def session_view(session: Session, caller: Caller) -> SessionView:
    """A session for the list."""
    return SessionView(
        id=session.id,
        address=session.where.address,
        browser=session.where.browser,
        created_at=session.created_at,
        seen_at=session.seen_at,
        is_this=session.id == caller.credential,
    )


def key_view(people: People, key: ApiKey) -> KeyView:
    """A key for the list."""
    return KeyView(
        id=key.id,
        name=key.name,
        role=key.role,
        person_id=key.person_id,
        person=people.roster.get(key.person_id).name,
        created_at=key.created_at,
        expires_at=key.expires_at,
        used_at=key.used_at,
    )


def invitation_view(people: People, invitation: Invitation) -> InvitationView:
    """An invitation for the list."""
    return InvitationView(
        id=invitation.id,
        kind=invitation.kind,
        role=invitation.role,
        uses_left=invitation.uses_left,
        expires_at=invitation.expires_at,
        made_at=invitation.made_at,
        made_by=people.roster.name_of(invitation.made_by),
        note=invitation.note,
    )


def diary_line(people: People, line: Line) -> DiaryLine:
    """A line of the diary, with names in place of ids."""
    event = line.event
    return DiaryLine(
        seq=line.seq,
        at=line.at,
        kind=event.kind,
        actor=people.roster.name_of(event.actor),
        subject=people.roster.name_of(event.subject),
        address=event.address,
        words=event.words,
    )
