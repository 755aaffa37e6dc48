"""Jobs: hand one in, look at it, end it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from webui.api.context import RawBody, own_job, the_person, the_studio
from webui.api.known_fields import refuse_unknown_fields
from webui.api.views import JobView, job_view, job_views
from webui.core.request import GenerationRequest, Mode
from webui.gate.access import Access, needs

ROUTER = APIRouter(prefix="/api/v1/jobs", tags=["jobs"])


@ROUTER.get("")
@needs(Access.PERSON)
def list_jobs(
    request: Request, mode: Mode | None = None, limit: Annotated[int, Query(ge=1, le=100)] = 10
) -> list[JobView]:
    """The newest jobs, newest first."""
    studio = the_studio(request)
    return job_views(studio, studio.jobs.recent(the_person(request), mode, limit))


@ROUTER.post("", status_code=HTTPStatus.ACCEPTED)
@needs(Access.ARTIST)
def add_job(request: Request, asked: GenerationRequest, body: RawBody) -> JobView:
    """Accept a job. When the answer comes it is stored, and will run whatever happens."""
    refuse_unknown_fields(GenerationRequest, body)
    studio = the_studio(request)
    return job_view(studio, studio.submit(asked, the_person(request)))


@ROUTER.get("/{id}")
@needs(Access.PERSON)
def read_job(request: Request, id: str) -> JobView:
    """One job as it is now."""
    return job_view(the_studio(request), own_job(request, id))


@ROUTER.post("/{id}/cancel")
@needs(Access.ARTIST)
def cancel_job(request: Request, id: str) -> JobView:
    """End a job; the pictures it has finished stay. One that is over stays as it is."""
    studio = the_studio(request)
    return job_view(studio, studio.cancel(own_job(request, id).id, the_person(request)))


@ROUTER.get("/{id}/preview", response_class=Response)
@needs(Access.PERSON)
def read_preview(request: Request, id: str) -> Response:
    """The newest rough look at a picture that is being made: JPEG. No content when there is none,
    or none any more: a browser may ask a moment too late, and that is no error."""
    live = the_studio(request).dispatcher.live(own_job(request, id).id)
    if live is None or live.preview is None:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return Response(live.preview, media_type="image/jpeg", headers={"Cache-Control": "no-store"})
