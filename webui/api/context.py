"""What a route knows beside its arguments: the studio, who asks, and the raw body."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request

from webui.core.errors import NotFound
from webui.core.job import LOCAL, Job, JobId, PersonId
from webui.core.result import Picture
from webui.studio import Studio


def the_studio(request: Request) -> Studio:
    """The studio that the API was built for."""
    return cast("Studio", request.app.state.studio)


def the_person(request: Request) -> PersonId:
    """Who asks. On a server that only this machine reaches there is one person."""
    return LOCAL


def own_job(request: Request, id: str) -> Job:
    """A job of whoever asks. Raises NotFound, also for one of somebody else: ids are no secret."""
    job = the_studio(request).jobs.get(JobId(id))
    if job.owner != the_person(request):
        raise NotFound("job", id)
    return job


def own_picture(request: Request, id: str) -> Picture:
    """A picture of whoever asks. Raises NotFound, also for one of somebody else."""
    picture = the_studio(request).gallery.get(id)
    if picture.owner != the_person(request):
        raise NotFound("picture", id)
    return picture


async def _raw_body(request: Request) -> bytes:
    return await request.body()


RawBody = Annotated[bytes, Depends(_raw_body)]
"""The request's body as it came, whatever type it claims to have; the gate has limited it."""
