"""Invitations: owners make links, and whoever has one takes it up."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from http import HTTPStatus
from typing import Annotated, Literal

from annotated_types import Ge, Le, MaxLen
from fastapi import APIRouter, Request, Response

from webui.api.context import RawBody, the_caller, the_studio
from webui.api.known_fields import refuse_unknown_fields
from webui.api.people_views import (
    InvitationView,
    MeView,
    NewInvitationView,
    invitation_view,
    path_of,
)
from webui.api.routes.session import SMALL_BYTES, let_in
from webui.api.visitor import at_desk, the_human, where_from
from webui.core.person import Role
from webui.gate.access import Access, needs
from webui.people.account import InvitationKind
from webui.people.invitations import MOST_NOTE, Offer

ROUTER = APIRouter(prefix="/api/v1", tags=["invitations"])
LEAST_S = 60
MOST_S = 366 * 24 * 3600
WEEK_S = 7 * 24 * 3600.0
MOST_USES = 1000


@dataclass(frozen=True, kw_only=True)
class AskedInvitation:
    """A link to be made. Who takes up a "join" makes an account with a password; a "guest" has
    none, and is gone when the link expires."""

    kind: Literal["join", "guest"] = "join"
    role: Role = Role.ARTIST
    uses: Annotated[int, Ge(1), Le(MOST_USES)] = 1
    expires_s: Annotated[float, Ge(LEAST_S), Le(MOST_S)] = WEEK_S
    note: Annotated[str, MaxLen(MOST_NOTE)] = ""


@dataclass(frozen=True, kw_only=True)
class OfferView:
    """What a link offers. `name` is whose password a "reset" sets, "" for the others."""

    kind: str
    role: str
    name: str
    expires_at: float


@dataclass(frozen=True, kw_only=True)
class Joining:
    """Taking up an invitation. A guest needs no password, a reset no name."""

    name: str = ""
    password: str = ""


@ROUTER.get("/invitations")
@needs(Access.OWNER)
def list_invitations(request: Request) -> list[InvitationView]:
    """The links that can still be used, newest first; not the links themselves."""
    people = the_studio(request).people
    return [invitation_view(people, made) for made in people.invitations.open()]


@ROUTER.post("/invitations", status_code=HTTPStatus.CREATED)
@needs(Access.OWNER)
def make_invitation(request: Request, asked: AskedInvitation, body: RawBody) -> NewInvitationView:
    """Make a link, which is in this answer and never shown again. Not by an API key."""
    refuse_unknown_fields(AskedInvitation, body)
    people, owner = the_studio(request).people, the_human(request)
    offer = Offer(
        kind=InvitationKind(asked.kind),
        role=asked.role,
        uses=asked.uses,
        expires_s=asked.expires_s,
        note=asked.note,
    )
    made = people.invitations.make(offer, by=owner.id)
    return NewInvitationView(**asdict(invitation_view(people, made)), path=path_of(made))


@ROUTER.delete("/invitations/{id}", status_code=HTTPStatus.NO_CONTENT)
@needs(Access.OWNER)
def revoke_invitation(request: Request, id: str) -> Response:
    """Nobody can use a link any more. Whoever came by it stays."""
    the_studio(request).people.invitations.revoke(id, by=the_caller(request).id)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@ROUTER.get("/join/{token}")
@needs(Access.OPEN)
def read_offer(request: Request, token: str) -> OfferView:
    """What a link offers. Looking doesn't use it up."""
    people = the_studio(request).people
    found = people.invitations.find(token)
    return OfferView(
        kind=found.kind,
        role=found.role,
        name=people.roster.name_of(found.person_id or ""),
        expires_at=found.expires_at,
    )


@ROUTER.post("/join/{token}")
@needs(Access.OPEN, max_body_bytes=SMALL_BYTES)
async def join(
    request: Request, response: Response, token: str, asked: Joining, body: RawBody
) -> MeView:
    """Take up an invitation: make the account, or set the new password, and sign in."""
    refuse_unknown_fields(Joining, body)
    people = the_studio(request).people
    people.invitations.find(token)  # a wrong link must not cost a place in the line
    work = partial(people.join, token, asked.name, asked.password, where_from(request))
    return await let_in(await at_desk(people, work), request, response)
