"""The people of the studio: who there is, their roles, adding and removing. For its owners."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from webui.api.context import RawBody, the_caller, the_studio
from webui.api.known_fields import refuse_unknown_fields
from webui.api.people_views import (
    DiaryPage,
    LinkView,
    NewPersonView,
    PersonView,
    SessionView,
    diary_line,
    link_view,
    person_view,
    session_view,
)
from webui.api.visitor import the_human
from webui.core.job import PersonId
from webui.core.person import Role
from webui.gate.access import Access, needs

ROUTER = APIRouter(prefix="/api/v1/people", tags=["people"])


@dataclass(frozen=True, kw_only=True)
class NewPerson:
    """Somebody to be added."""

    name: str
    role: Role = Role.ARTIST


@dataclass(frozen=True, kw_only=True)
class PersonChange:
    """What is to be different; what is left out stays."""

    role: Role | None = None
    is_disabled: bool | None = None


@ROUTER.get("")
@needs(Access.OWNER)
def list_people(request: Request, removed: bool = False) -> list[PersonView]:
    """Everybody with an account, in the order they came; or those who were `removed`, whose work
    is still on the disk."""
    people = the_studio(request).people
    return [person_view(people, person) for person in people.roster.all(removed=removed)]


@ROUTER.post("", status_code=HTTPStatus.CREATED)
@needs(Access.OWNER)
def add_person(request: Request, asked: NewPerson, body: RawBody) -> NewPersonView:
    """Add somebody by name. They choose their password with the link, which is good for a day and
    shown this once. Not by an API key."""
    refuse_unknown_fields(NewPerson, body)
    people, owner = the_studio(request).people, the_human(request)
    person, link = people.add(asked.name, asked.role, by=owner.id)
    return NewPersonView(person=person_view(people, person), link=link_view(link))


@ROUTER.get("/diary")
@needs(Access.OWNER)
def read_diary(
    request: Request,
    before: Annotated[int | None, Query(ge=0, le=1 << 53)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> DiaryPage:
    """Who signed in, who tried to, and what was changed of the accounts, newest first."""
    people = the_studio(request).people
    lines = [diary_line(people, line) for line in people.diary(limit, before)]
    return DiaryPage(lines=lines, next=lines[-1].seq if len(lines) == limit else None)


@ROUTER.patch("/{id}")
@needs(Access.OWNER)
def change_person(request: Request, id: str, asked: PersonChange, body: RawBody) -> PersonView:
    """Give somebody another role, keep them out or let them in again. It counts from their next
    request on, and their open streams end. The last owner stays one. Not by an API key."""
    refuse_unknown_fields(PersonChange, body)
    people, owner = the_studio(request).people, the_human(request)
    changed = people.roster.change(
        PersonId(id), by=owner.id, role=asked.role, is_disabled=asked.is_disabled
    )
    return person_view(people, changed)


@ROUTER.delete("/{id}", status_code=HTTPStatus.NO_CONTENT)
@needs(Access.OWNER)
def remove_person(request: Request, id: str) -> Response:
    """Take somebody's account away: they are signed out everywhere, their keys and links end, and
    their name is free. Their pictures stay on the disk and are shown to nobody. Not by an API
    key."""
    the_studio(request).people.roster.remove(PersonId(id), by=the_human(request).id)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@ROUTER.post("/{id}/reset", status_code=HTTPStatus.CREATED)
@needs(Access.OWNER)
def reset_password(request: Request, id: str) -> LinkView:
    """A link by which somebody chooses a new password; good for a day, once, and shown this once.
    Not by an API key."""
    return link_view(the_studio(request).people.reset(PersonId(id), by=the_human(request).id))


@ROUTER.get("/{id}/sessions")
@needs(Access.OWNER)
def list_sessions_of(request: Request, id: str) -> list[SessionView]:
    """Where somebody is signed in."""
    people, caller = the_studio(request).people, the_caller(request)
    person = people.roster.here(PersonId(id))
    return [session_view(session, caller) for session in people.sessions.of(person.id)]


@ROUTER.delete("/{id}/sessions")
@needs(Access.OWNER)
def end_sessions_of(request: Request, id: str) -> list[SessionView]:
    """Sign somebody out everywhere, at once."""
    people = the_studio(request).people
    person = people.roster.here(PersonId(id))
    people.sessions.end_all(person.id, by=the_caller(request).id)
    return list_sessions_of(request, id)
