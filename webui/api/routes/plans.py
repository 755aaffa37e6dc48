"""Plans over many pictures: begin one, look at it, end it, read what it made as a table."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from webui.api.context import RawBody, the_person, the_studio
from webui.api.known_fields import refuse_unknown_fields
from webui.api.views import PictureView, picture_view
from webui.core.codec import to_json
from webui.core.errors import InvalidRequest, NotFound
from webui.gate.access import Access, needs
from webui.plans.plan import Line, Plan, PlanId, PlanRequest
from webui.studio import Studio

ROUTER = APIRouter(prefix="/api/v1/plans", tags=["plans"])


@dataclass(frozen=True, kw_only=True)
class CellFault:
    """A cell that was not made. `number` is its place in the order of making, from 0."""

    number: int
    label: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class PlanView:
    """A plan as it is now. `is_settled`: over, and its grids are saved. `done` and `failed` of
    `cells` are over, `sent` are in the queue; `waiting` says why it can't go on, if it can't."""

    id: str
    kind: str
    label: str
    mode: str
    state: str
    prompt: str
    cells: int
    done: int
    failed: int
    sent: int
    is_settled: bool
    waiting: str
    faults: Sequence[CellFault]
    grids: Sequence[PictureView]
    created_at: float
    finished_at: float | None


@ROUTER.get("")
@needs(Access.PERSON)
def list_plans(request: Request, limit: Annotated[int, Query(ge=1, le=100)] = 10) -> list[PlanView]:
    """The newest plans, newest first."""
    studio = the_studio(request)
    return [plan_view(studio, plan) for plan in studio.plans.recent(the_person(request), limit)]


@ROUTER.post("", status_code=HTTPStatus.ACCEPTED)
@needs(Access.ARTIST)
def add_plan(request: Request, asked: PlanRequest, body: RawBody) -> PlanView:
    """Accept a plan. When the answer comes it is stored, and will be made whatever happens."""
    refuse_unknown_fields(PlanRequest, body)
    studio = the_studio(request)
    if (kind := studio.plans.kinds.get(asked.kind)) is not None:
        _refuse_unknown_options(kind.options, asked.options)
    return plan_view(studio, studio.plans.begin(asked, the_person(request)))


@ROUTER.get("/{id}")
@needs(Access.PERSON)
def read_plan(request: Request, id: str) -> PlanView:
    """One plan as it is now."""
    return plan_view(the_studio(request), own_plan(request, id))


@ROUTER.post("/{id}/pause")
@needs(Access.ARTIST)
def pause_plan(request: Request, id: str) -> PlanView:
    """Hand no more cells to the queue; those that are in it are still made."""
    studio = the_studio(request)
    return plan_view(studio, studio.plans.pause(own_plan(request, id).id))


@ROUTER.post("/{id}/resume")
@needs(Access.ARTIST)
def resume_plan(request: Request, id: str) -> PlanView:
    """Go on after a pause."""
    studio = the_studio(request)
    return plan_view(studio, studio.plans.resume(own_plan(request, id).id))


@ROUTER.post("/{id}/cancel")
@needs(Access.ARTIST)
def cancel_plan(request: Request, id: str) -> PlanView:
    """End a plan; the pictures it has finished stay, and a grid is made of them."""
    studio = the_studio(request)
    return plan_view(studio, studio.plans.cancel(own_plan(request, id).id))


@ROUTER.post("/{id}/retry")
@needs(Access.ARTIST)
def retry_plan(request: Request, id: str) -> PlanView:
    """Make the cells that failed once more; a cancelled plan goes on where it was."""
    studio = the_studio(request)
    return plan_view(studio, studio.plans.retry(own_plan(request, id).id))


@ROUTER.get("/{id}/manifest.csv", response_class=Response)
@needs(Access.PERSON, is_page=True)
def read_manifest_as_table(request: Request, id: str) -> Response:
    """One row for each picture so far, for a spreadsheet."""
    return _download(_rows(request, id), f"plan-{id}.csv", "text/csv; charset=utf-8")


@ROUTER.get("/{id}/manifest.jsonl", response_class=Response)
@needs(Access.PERSON, is_page=True)
def read_manifest_as_lines(request: Request, id: str) -> Response:
    """One JSON object a line for each picture so far."""
    lines = the_studio(request).plans.manifest(own_plan(request, id).id)
    parts = (f"{to_json(line)}\n" for line in lines)
    return _download(parts, f"plan-{id}.jsonl", "application/jsonl")


def own_plan(request: Request, id: str) -> Plan:
    """A plan of whoever asks. Raises NotFound, also for one of somebody else."""
    plan = the_studio(request).plans.get(PlanId(id))
    if plan.owner != the_person(request):
        raise NotFound("plan", id)
    return plan


def plan_view(studio: Studio, plan: Plan) -> PlanView:
    """A plan as it is now. Reads the disk: not for the loop."""
    counts = studio.plans.counts(plan.id)
    asked = plan.asked
    return PlanView(
        id=plan.id,
        kind=asked.kind,
        label=studio.plans.kinds[asked.kind].label,
        mode=asked.request.mode,
        state=plan.state,
        prompt=asked.request.prompt,
        cells=plan.cells,
        done=counts.done,
        failed=counts.failed,
        sent=counts.sent,
        is_settled=plan.is_settled,
        waiting=studio.plans.trouble(plan.id),
        faults=[
            CellFault(number=cell.number, label=label, reason=cell.reason)
            for cell, label in (studio.plans.faults(plan, 5) if counts.failed else ())
        ],
        grids=[picture_view(picture) for picture in studio.plans.grids(plan)],
        created_at=plan.created_at,
        finished_at=plan.finished_at,
    )


def _refuse_unknown_options(kind: type[Any], options: object) -> None:
    try:
        refuse_unknown_fields(kind, json.dumps(options).encode())
    except InvalidRequest as error:
        raise InvalidRequest(f"options.{error.field}", error.message) from error


def _rows(request: Request, id: str) -> Iterator[str]:
    lines = the_studio(request).plans.manifest(own_plan(request, id).id)
    names = [field.name for field in dataclasses.fields(Line)]

    def rows() -> Iterator[str]:
        yield _row(names)
        for line in lines:
            yield _row([_harmless(getattr(line, name)) for name in names])

    return rows()


def _row(values: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(values)
    return text.getvalue()


def _harmless(value: object) -> object:
    """Words that a spreadsheet would take for a formula get a sign before them that stops it."""
    is_formula = isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if is_formula else value


def _download(parts: Iterator[str], name: str, media_type: str) -> Response:
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
    }
    return StreamingResponse(parts, media_type=media_type, headers=headers)
