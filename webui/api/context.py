"""What a route knows beside its arguments: the studio, who asks, and the raw body."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from webui.api.openai.links import Links
from webui.api.recent import RecentEvents
from webui.core.errors import NotPermitted
from webui.core.job import Job, JobId, PersonId
from webui.core.person import CALLER, LOCAL_OWNER, Caller
from webui.core.result import Picture
from webui.studio import Studio


def the_studio(request: HTTPConnection) -> Studio:
    """The studio that the API was built for."""
    return cast("Studio", request.app.state.studio)


def the_links(request: Request) -> Links:
    """The maker of addresses under which single pictures can be fetched."""
    return cast("Links", request.app.state.links)


def the_recent_events(request: HTTPConnection) -> RecentEvents:
    """The newest events."""
    return cast("RecentEvents", request.app.state.recent)


def the_caller(request: HTTPConnection) -> Caller:
    """Who asks, as the gate recognised them. Without a gate, as in tests of the API alone, it is
    the owner. Raises NotPermitted on a route that is open to everyone and was told of nobody."""
    caller: Caller | None = request.scope.get(CALLER, LOCAL_OWNER)
    if caller is None:
        raise NotPermitted("Nobody is signed in here. Open this studio's page and sign in.")
    return caller


def the_person(request: HTTPConnection) -> PersonId:
    """The id of whoever asks."""
    return the_caller(request).id


def own_job(request: Request, id: str) -> Job:
    """A job of whoever asks. Raises NotFound, also for one of somebody else."""
    return the_studio(request).own_job(JobId(id), the_person(request))


def own_picture(request: Request, id: str) -> Picture:
    """A picture of whoever asks. Raises NotFound, also for one of somebody else."""
    return the_studio(request).own_picture(id, the_person(request))


async def _raw_body(request: Request) -> bytes:
    return await request.body()


RawBody = Annotated[bytes, Depends(_raw_body)]
"""The request's body as it came, whatever type it claims to have; the gate has limited it."""
