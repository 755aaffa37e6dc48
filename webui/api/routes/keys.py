"""API keys: everybody makes their own; owners see and revoke all."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Annotated

from annotated_types import Ge, Le, MaxLen, MinLen
from fastapi import APIRouter, Request, Response

from webui.api.context import RawBody, the_caller, the_person, the_studio
from webui.api.known_fields import refuse_unknown_fields
from webui.api.people_views import KeyView, NewKeyView, key_view
from webui.api.visitor import the_human
from webui.core.errors import NotFound
from webui.core.person import Role
from webui.gate.access import Access, needs

ROUTER = APIRouter(prefix="/api/v1/keys", tags=["keys"])
LEAST_S = 60
MOST_S = 10 * 366 * 24 * 3600


@dataclass(frozen=True, kw_only=True)
class AskedKey:
    """A key to be made. Without a role it has its maker's; without `expires_s` it is good until it
    is revoked."""

    name: Annotated[str, MinLen(1), MaxLen(60)]
    role: Role | None = None
    expires_s: Annotated[float, Ge(LEAST_S), Le(MOST_S)] | None = None


@ROUTER.get("")
@needs(Access.PERSON)
def list_keys(request: Request) -> list[KeyView]:
    """One's own keys, newest first, without their secrets."""
    people = the_studio(request).people
    return [key_view(people, key) for key in people.keys.of(the_person(request))]


@ROUTER.post("", status_code=HTTPStatus.CREATED)
@needs(Access.PERSON)
def make_key(request: Request, asked: AskedKey, body: RawBody) -> NewKeyView:
    """Make a key for a program. Its secret is in this answer and never shown again. Its role is at
    most one's own, also later. Not by an API key."""
    refuse_unknown_fields(AskedKey, body)
    people, caller = the_studio(request).people, the_human(request)
    made = people.keys.make(caller.id, asked.name, asked.role or caller.role, asked.expires_s)
    return NewKeyView(**asdict(key_view(people, made.key)), secret=made.secret)


@ROUTER.get("/all")
@needs(Access.OWNER)
def list_all_keys(request: Request) -> list[KeyView]:
    """Everybody's keys, newest first, without their secrets."""
    people = the_studio(request).people
    return [key_view(people, key) for key in people.keys.all()]


@ROUTER.delete("/{id}", status_code=HTTPStatus.NO_CONTENT)
@needs(Access.PERSON)
def revoke_key(request: Request, id: str) -> Response:
    """End a key of one's own, at once; owners may end any."""
    people, caller = the_studio(request).people, the_caller(request)
    is_own = id in {key.id for key in people.keys.of(caller.id)}
    if not (is_own or caller.role is Role.OWNER):
        raise NotFound("key", id)
    people.keys.revoke(id, by=caller.id)
    return Response(status_code=HTTPStatus.NO_CONTENT)
