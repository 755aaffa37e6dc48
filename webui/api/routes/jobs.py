"""Jobs: hand one in, look at it, end it."""

from __future__ import annotations

from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from webui.api.context import RawBody, own_job, the_person, the_studio
from webui.api.idempotency import IdempotencyKey, dedupe_key
from webui.api.known_fields import refuse_unknown_fields
from webui.api.terms import AskedTerms
from webui.api.views import JobView, job_view, job_views
from webui.api.waiting import PreferHeader, WaitQuery, wait_asked, waited
from webui.core.job import Job
from webui.core.request import GenerationRequest, Mode
from webui.gate.access import Access, needs
from webui.jobs.store import Terms

ROUTER = APIRouter(prefix="/api/v1/jobs", tags=["jobs"])

NONE_YET: Final[Any] = MappingProxyType({204: {"description": "There is none now."}})
OVER: Final[Any] = MappingProxyType({200: {"model": JobView, "description": "It is over."}})


@ROUTER.get("")
@needs(Access.PERSON)
def list_jobs(
    request: Request, mode: Mode | None = None, limit: Annotated[int, Query(ge=1, le=100)] = 10
) -> list[JobView]:
    """The newest jobs, newest first."""
    studio = the_studio(request)
    return job_views(studio, studio.jobs.recent(the_person(request), mode, limit))


@ROUTER.post("", status_code=HTTPStatus.ACCEPTED, responses=OVER)
@needs(Access.ARTIST)
async def add_job(
    request: Request,
    response: Response,
    asked: GenerationRequest,
    body: RawBody,
    terms: AskedTerms,
    wait: WaitQuery = 0,
    prefer: PreferHeader = "",
    key: IdempotencyKey = None,
) -> JobView:
    """Accept a job. When the answer comes it is stored, and will run whatever happens. With
    `wait`, the answer comes when it is over (200), or after so many seconds (202)."""
    studio = the_studio(request)
    job = await run_in_threadpool(_accept, request, asked, body, terms)
    job = await waited(request, studio, job, wait_asked(response, wait, prefer))
    if job.state.is_over:
        response.status_code = HTTPStatus.OK
    return await run_in_threadpool(job_view, studio, job)


def _accept(request: Request, asked: GenerationRequest, body: bytes, terms: Terms) -> Job:
    refuse_unknown_fields(GenerationRequest, body)
    return the_studio(request).submit(asked, the_person(request), dedupe_key(request), terms)


@ROUTER.get("/{id}")
@needs(Access.PERSON)
async def read_job(
    request: Request, response: Response, id: str, wait: WaitQuery = 0, prefer: PreferHeader = ""
) -> JobView:
    """One job as it is now or, with `wait`, when it is over, but after so many seconds at last."""
    studio = the_studio(request)
    job = await run_in_threadpool(own_job, request, id)
    job = await waited(request, studio, job, wait_asked(response, wait, prefer))
    return await run_in_threadpool(job_view, studio, job)


@ROUTER.post("/{id}/cancel")
@needs(Access.ARTIST)
def cancel_job(request: Request, id: str) -> JobView:
    """End a job; the pictures it has finished stay. One that is over stays as it is."""
    studio = the_studio(request)
    return job_view(studio, studio.cancel(own_job(request, id).id, the_person(request)))


@ROUTER.get("/{id}/preview", response_class=Response, responses=NONE_YET)
@needs(Access.PERSON)
def read_preview(request: Request, id: str) -> Response:
    """The newest rough look at a picture that is being made: JPEG. No content when there is none,
    or none any more: a browser may ask a moment too late, and that is no error."""
    live = the_studio(request).dispatcher.live(own_job(request, id).id)
    if live is None or live.preview is None:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return Response(live.preview, media_type="image/jpeg", headers={"Cache-Control": "no-store"})
