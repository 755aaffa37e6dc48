"""Limits: one's own, and those that the owner sets for a role or for one person."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Request

from webui.api.context import RawBody, the_person, the_studio
from webui.api.known_fields import refuse_unknown_fields
from webui.core.job import PersonId
from webui.core.person import Role
from webui.gate.access import Access, needs
from webui.jobs.limits import Limits, as_mapping
from webui.studio import Studio

ROUTER = APIRouter(prefix="/api/v1/limits", tags=["limits"])


@dataclass(frozen=True, kw_only=True)
class InUseView:
    """What a person has now of what is limited."""

    queued_jobs: int
    disk_bytes: int
    gpu_seconds_per_day: float


@dataclass(frozen=True, kw_only=True)
class LimitsView:
    """What a person may have at most (null is no limit) and what they have; `own` names the limits
    that were set for them alone."""

    limits: Limits
    in_use: InUseView
    own: list[str]


@ROUTER.get("")
@needs(Access.PERSON)
def read_my_limits(request: Request) -> LimitsView:
    """One's own limits."""
    return _view(the_studio(request), the_person(request))


@ROUTER.get("/roles")
@needs(Access.OWNER)
def read_role_limits(request: Request) -> dict[Role, Limits]:
    """The limits of each role, for all who have none of their own."""
    studio = the_studio(request)
    return {role: studio.jobs.limits.of_role(role) for role in Role}


@ROUTER.patch("/roles/{role}")
@needs(Access.OWNER)
def set_role_limits(request: Request, role: Role, asked: Limits, body: RawBody) -> Limits:
    """Change limits of a role; null is no limit, what is left out stays."""
    book = the_studio(request).jobs.limits
    book.set_for_role(role, _named(asked, body))
    return book.of_role(role)


@ROUTER.get("/people/{person}")
@needs(Access.OWNER)
def read_limits(request: Request, person: str) -> LimitsView:
    """Somebody's limits."""
    return _view(the_studio(request), PersonId(person))


@ROUTER.patch("/people/{person}")
@needs(Access.OWNER)
def set_limits(request: Request, person: str, asked: Limits, body: RawBody) -> LimitsView:
    """Change limits of somebody; null is no limit, what is left out stays."""
    studio = the_studio(request)
    studio.jobs.limits.set_for_person(PersonId(person), _named(asked, body))
    return _view(studio, PersonId(person))


@ROUTER.delete("/people/{person}")
@needs(Access.OWNER)
def clear_limits(request: Request, person: str) -> LimitsView:
    """Let somebody have the limits of their role."""
    studio = the_studio(request)
    studio.jobs.limits.clear(PersonId(person))
    return _view(studio, PersonId(person))


def _named(asked: Limits, body: bytes) -> Mapping[str, int | None]:
    """The limits that a body names: null and left out are two things."""
    refuse_unknown_fields(Limits, body)
    named = json.loads(body)
    return {name: value for name, value in as_mapping(asked).items() if name in named}


def _view(studio: Studio, person: PersonId) -> LimitsView:
    in_use = studio.queue.in_use(person)
    return LimitsView(
        limits=studio.queue.limits(person),
        in_use=InUseView(
            queued_jobs=in_use.queued_jobs(),
            disk_bytes=in_use.disk_bytes(),
            gpu_seconds_per_day=round(in_use.gpu_seconds(), 1),
        ),
        own=sorted(studio.jobs.limits.own(person)),
    )
