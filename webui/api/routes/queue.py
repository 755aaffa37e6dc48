"""The queue: one's own order, pauses and times; and everybody's, for the owner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge
from fastapi import APIRouter, Request

from webui.api.context import RawBody, own_job, the_person, the_studio
from webui.api.known_fields import refuse_unknown_fields
from webui.api.queue_views import (
    CancelledView,
    QueueView,
    RowView,
    WholeQueueView,
    queue_view,
    row_view,
    whole_queue_view,
)
from webui.api.views import JobView, job_view
from webui.core.errors import InvalidRequest
from webui.core.job import Job, JobId, JobState, PersonId
from webui.gate.access import Access, needs
from webui.jobs.order import Move
from webui.studio import Studio

ROUTER = APIRouter(prefix="/api/v1", tags=["queue"])


@dataclass(frozen=True, kw_only=True)
class Pause:
    """Whether jobs that wait are held back. What runs goes on."""

    is_paused: bool


@dataclass(frozen=True, kw_only=True)
class JobChange:
    """What is to be different of a job that waits; what is left out stays."""

    is_paused: bool | None = None
    not_before: Annotated[float, Ge(0)] | None = None
    """Seconds since 1970; 0 lets it begin at any time."""
    move: Move | None = None
    """Among the jobs of the same person."""


@dataclass(frozen=True, kw_only=True)
class PersonInQueue:
    """What is to be different for somebody; what is left out stays."""

    is_paused: bool | None = None
    is_next: bool = False
    """Give them the next turn."""


@ROUTER.get("/queue")
@needs(Access.PERSON)
def read_queue(request: Request) -> QueueView:
    """One's own jobs that are not over, and what is paused."""
    return queue_view(the_studio(request), the_person(request))


@ROUTER.patch("/queue")
@needs(Access.ARTIST)
def pause_mine(request: Request, asked: Pause, body: RawBody) -> QueueView:
    """Hold all one's own jobs that wait, or let them go on."""
    refuse_unknown_fields(Pause, body)
    studio, person = the_studio(request), the_person(request)
    studio.queue.pause_all(person, is_paused=asked.is_paused)
    return queue_view(studio, person)


@ROUTER.post("/queue/cancel")
@needs(Access.ARTIST)
def cancel_mine(request: Request) -> CancelledView:
    """End all one's own jobs; the pictures they have finished stay."""
    ended = the_studio(request).dispatcher.cancel_all(the_person(request))
    return CancelledView(cancelled=ended)


@ROUTER.patch("/jobs/{id}")
@needs(Access.ARTIST)
def change_job(request: Request, id: str, asked: JobChange, body: RawBody) -> JobView:
    """Move, hold or put off one of one's own jobs that wait."""
    refuse_unknown_fields(JobChange, body)
    studio, job = the_studio(request), own_job(request, id)
    _change(studio, job, asked)
    return job_view(studio, studio.jobs.get(job.id))


@ROUTER.get("/queue/all")
@needs(Access.OWNER)
def read_whole_queue(request: Request) -> WholeQueueView:
    """Whose jobs wait and run, without what they show."""
    return whole_queue_view(the_studio(request))


@ROUTER.patch("/queue/all")
@needs(Access.OWNER)
def pause_queue(request: Request, asked: Pause, body: RawBody) -> WholeQueueView:
    """Begin nothing new, whoever asked for it, or go on."""
    refuse_unknown_fields(Pause, body)
    studio = the_studio(request)
    studio.queue.pause_queue(is_paused=asked.is_paused)
    return whole_queue_view(studio)


@ROUTER.post("/queue/all/cancel")
@needs(Access.OWNER)
def cancel_everybodys(request: Request) -> CancelledView:
    """End all jobs of everybody; the pictures they have finished stay."""
    return CancelledView(cancelled=the_studio(request).dispatcher.cancel_all())


@ROUTER.patch("/queue/all/jobs/{id}")
@needs(Access.OWNER)
def change_anybodys_job(request: Request, id: str, asked: JobChange, body: RawBody) -> RowView:
    """Move, hold or put off a job of anybody that waits."""
    refuse_unknown_fields(JobChange, body)
    studio = the_studio(request)
    _change(studio, studio.jobs.get(JobId(id)), asked)
    return row_view(studio, studio.jobs.get(JobId(id)))


@ROUTER.post("/queue/all/jobs/{id}/cancel")
@needs(Access.OWNER)
def cancel_anybodys_job(request: Request, id: str) -> RowView:
    """End a job of anybody; the pictures it has finished stay."""
    studio = the_studio(request)
    return row_view(studio, studio.dispatcher.cancel(JobId(id)))


@ROUTER.patch("/queue/people/{person}")
@needs(Access.OWNER)
def change_person(
    request: Request, person: str, asked: PersonInQueue, body: RawBody
) -> WholeQueueView:
    """Hold somebody's jobs that wait, or give them the next turn."""
    refuse_unknown_fields(PersonInQueue, body)
    studio, who = the_studio(request), _somebody(person)
    if asked.is_paused is not None:
        studio.queue.pause_all(who, is_paused=asked.is_paused)
    if asked.is_next:
        studio.queue.put_first(who)
    return whole_queue_view(studio)


@ROUTER.post("/queue/people/{person}/cancel")
@needs(Access.OWNER)
def cancel_theirs(request: Request, person: str) -> CancelledView:
    """End all of somebody's jobs; the pictures they have finished stay."""
    ended = the_studio(request).dispatcher.cancel_all(_somebody(person))
    return CancelledView(cancelled=ended)


def _change(studio: Studio, job: Job, asked: JobChange) -> None:
    if job.state is not JobState.QUEUED:
        raise InvalidRequest(
            "", f"This job is {job.state.value}. Only one that waits can be moved or held back."
        )
    if asked.is_paused is not None:
        studio.queue.pause(job.id, is_paused=asked.is_paused)
    if asked.not_before is not None:
        studio.queue.not_before(job.id, asked.not_before)
    if asked.move is not None:
        studio.queue.move(job.id, asked.move)


def _somebody(person: str) -> PersonId:
    if not person.strip():
        raise InvalidRequest("person", "Nobody has an empty id. Name somebody of the queue.")
    return PersonId(person)
