"""What the API shows of the queue: one's own part of it and, to the owner, everybody's."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from webui.api.views import JobView, hold_of, open_views
from webui.core.errors import NotFound
from webui.core.job import Job, PersonId
from webui.jobs.line import Place
from webui.studio import Studio

MOST_SHOWN: Final = 200


@dataclass(frozen=True, kw_only=True)
class QueueView:
    """One's own part of the queue. `jobs` are those that are not over, in the order in which they
    will run; of many that wait the first, `queued` counts them all."""

    jobs: Sequence[JobView]
    queued: int
    is_paused: bool
    is_queue_paused: bool


@dataclass(frozen=True, kw_only=True)
class RowView:
    """A job of anybody, as the owner sees it: whose, but not what it shows."""

    id: str
    person: str
    name: str
    state: str
    position: int
    seconds_left: float | None
    picture_count: int
    width: int
    height: int
    hold: str
    not_before: float


@dataclass(frozen=True, kw_only=True)
class InQueueView:
    """A person with jobs that wait, as the owner sees them."""

    person: str
    name: str
    queued: int
    is_paused: bool


@dataclass(frozen=True, kw_only=True)
class WholeQueueView:
    """Everybody's part: the jobs in line (of many the first) and who has how many that wait."""

    jobs: Sequence[RowView]
    people: Sequence[InQueueView]
    is_queue_paused: bool


@dataclass(frozen=True, kw_only=True)
class CancelledView:
    """How many jobs were ended."""

    cancelled: int


def queue_view(studio: Studio, person: PersonId) -> QueueView:
    """The part of one person."""
    order = studio.jobs.order
    return QueueView(
        jobs=open_views(studio, person),
        queued=order.queued(person),
        is_paused=order.is_paused(person),
        is_queue_paused=order.is_queue_paused(),
    )


def whole_queue_view(studio: Studio) -> WholeQueueView:
    """Everybody's part."""
    places = studio.dispatcher.line().places
    first = sorted(places, key=lambda id: places[id].ahead)[:MOST_SHOWN]
    rows = []
    for id in first:
        with contextlib.suppress(NotFound):
            rows.append(row_view(studio, studio.jobs.get(id), places[id]))
    return WholeQueueView(
        jobs=rows,
        people=[
            InQueueView(
                person=person, name=name_of(studio, person), queued=queued, is_paused=is_paused
            )
            for person, queued, is_paused in studio.jobs.order.people()
        ],
        is_queue_paused=studio.jobs.order.is_queue_paused(),
    )


def row_view(studio: Studio, job: Job, place: Place | None = None) -> RowView:
    """A job without its words."""
    place = place or (Place() if job.state.is_over else studio.queue.place(job))
    return RowView(
        id=job.id,
        person=job.owner,
        name=name_of(studio, job.owner),
        state=job.state,
        position=place.ahead,
        seconds_left=place.seconds_left,
        picture_count=job.picture_count,
        width=job.recipe.width,
        height=job.recipe.height,
        hold=hold_of(studio, job),
        not_before=job.not_before,
    )


def name_of(studio: Studio, person: PersonId) -> str:
    """What somebody is called; their id when there is no such account."""
    try:
        return studio.people.roster.get(person).name
    except NotFound:
        return person
