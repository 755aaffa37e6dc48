"""What engines did for whom: seconds, jobs and pictures by day."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from webui.api.context import the_person, the_studio
from webui.api.queue_views import name_of
from webui.gate.access import Access, needs
from webui.jobs.usage import DAY_S, DayUsage
from webui.studio import Studio

ROUTER = APIRouter(prefix="/api/v1/usage", tags=["usage"])

Days = Annotated[int, Query(ge=1, le=366, description="So many days back.")]
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What spreadsheets take for the beginning of a formula."""


@dataclass(frozen=True, kw_only=True)
class UsageView:
    """One person on one day of this machine's calendar. `gpu_seconds` is how long engines worked
    for them, failed and cancelled jobs included."""

    day: str
    person: str
    name: str
    jobs: int
    pictures: int
    gpu_seconds: float


@dataclass(frozen=True, kw_only=True)
class MyUsageView:
    """One's own usage, the newest day first."""

    days: Sequence[UsageView]
    last_24_hours: float
    """GPU-seconds; what a limit by day counts."""


@ROUTER.get("")
@needs(Access.PERSON)
def read_my_usage(request: Request, days: Days = 30) -> MyUsageView:
    """What one used oneself."""
    studio, person = the_studio(request), the_person(request)
    found = studio.jobs.usage.days(person, _since(days))
    seconds = round(studio.jobs.usage.last_day(person), 1)
    return MyUsageView(days=_views(studio, found), last_24_hours=seconds)


@ROUTER.get("/all")
@needs(Access.OWNER)
def read_all_usage(request: Request, days: Days = 30) -> list[UsageView]:
    """What everybody used, the newest day first."""
    studio = the_studio(request)
    return _views(studio, studio.jobs.usage.days(since=_since(days)))


@ROUTER.get("/all.csv", response_class=Response)
@needs(Access.OWNER)
def export_usage(request: Request, days: Days = 366) -> Response:
    """The same as a table for a spreadsheet."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["day", "person", "name", "jobs", "pictures", "gpu_seconds"])
    for view in read_all_usage(request, days):
        name = f"'{view.name}" if view.name.startswith(FORMULA) else view.name
        writer.writerow([view.day, view.person, name, view.jobs, view.pictures, view.gpu_seconds])
    return Response(
        table.getvalue(),
        media_type="text/csv",
        headers={"Content-Disposition": 'attachment; filename="usage.csv"'},
    )


def _since(days: int) -> float:
    """Whole days, today among them, near enough."""
    return time.time() - days * DAY_S


def _views(studio: Studio, found: Sequence[DayUsage]) -> list[UsageView]:
    return [
        UsageView(
            day=one.day,
            person=one.owner,
            name=name_of(studio, one.owner),
            jobs=one.jobs,
            pictures=one.pictures,
            gpu_seconds=round(one.seconds, 1),
        )
        for one in found
    ]
