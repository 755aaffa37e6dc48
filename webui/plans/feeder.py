"""Moves one plan on: collects what its jobs made, hands the next cells to the queue.

A cell is handed in under a key of its own, so that one whose job was accepted just before a crash
is not made twice.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from webui.core.codec import decode
from webui.core.errors import DiskFull, GessoError, LimitReached, NotFound
from webui.core.job import JobId, JobState
from webui.core.registry import Registry
from webui.core.request import GenerationRequest, InputId
from webui.core.result import Picture
from webui.gallery.gallery import Gallery
from webui.plans.doors import Doors
from webui.plans.kind import Kind, Layout
from webui.plans.plan import Cell, CellState, Line, Plan, PlanRequest, PlanState
from webui.plans.store import PlanStore

log = logging.getLogger(__name__)

AHEAD: Final = 3
"""Cells of one plan that stand in the queue at a time: enough to keep two engines busy, few
enough that a person's next press of Generate comes soon."""
CANCELLED: Final = "Cancelled."
NO_PICTURE: Final = "The picture that this one starts from was not made."


class Feeder:
    """Used by one thread at a time."""

    def __init__(self, store: PlanStore, doors: Doors, gallery: Gallery) -> None:
        self._store: Final = store
        self._doors: Final = doors
        self._gallery: Final = gallery

    def turn(self, plan: Plan, layout: Layout) -> Plan:
        """Do what can be done now; the plan as it is then. Raises DiskFull and LimitReached; then
        the next turn goes on where this one ended."""
        for cell in self._store.cells(plan.id, CellState.SENT):
            self._collect(plan, layout, cell)
        if plan.state is PlanState.RUNNING:
            self._feed(plan, layout)
            plan = self._store.get(plan.id)
            counts = self._store.counts(plan.id)
            if plan.begun >= plan.cells and not counts.waiting + counts.sent:
                over = (PlanState.RUNNING,)
                plan = self._store.set_state(plan.id, PlanState.DONE, instead_of=over)
        return plan

    def _collect(self, plan: Plan, layout: Layout, cell: Cell) -> None:
        """See how a cell's job is."""
        job_id = cell.job_id or JobId("")
        try:
            job = self._doors.job(job_id)
        except NotFound:
            self._collect_lost(plan, layout, cell)
            return
        if job.state is JobState.DONE:
            self._store.done(plan.id, cell.number, self._lines(layout, cell.number, job_id))
        elif job.state.is_over:
            self._store.failed(plan.id, cell.number, job.reason or CANCELLED)

    def _collect_lost(self, plan: Plan, layout: Layout, cell: Cell) -> None:
        """The list of jobs was damaged and begun anew; the gallery knows what was made."""
        if lines := self._lines(layout, cell.number, cell.job_id or JobId("")):
            self._store.done(plan.id, cell.number, lines)
        else:
            self._store.lost(plan.id, cell.number)

    def _lines(self, layout: Layout, number: int, job_id: JobId) -> list[Line]:
        label = layout.label(number)
        return [self._line(number, label, picture) for picture in self._gallery.of_job(job_id)]

    def _line(self, number: int, label: str, picture: Picture) -> Line:
        recipe = picture.recipe
        return Line(
            number=number,
            index=picture.index,
            label=label,
            picture_id=picture.id,
            file=picture.path.relative_to(self._gallery.folder).as_posix(),
            sha256=_sha256(picture),
            seed=recipe.seed,
            width=picture.width,
            height=picture.height,
            prompt=recipe.prompt,
            negative_prompt=recipe.negative_prompt,
            model=recipe.model.name,
            created_at=picture.created_at,
        )

    def _feed(self, plan: Plan, layout: Layout) -> None:
        free = AHEAD - self._store.counts(plan.id).sent
        for cell in self._next(plan):
            if free <= 0 or not self._is_ready(plan, layout, cell):
                return
            free -= self._send(plan, layout, cell)

    def _next(self, plan: Plan) -> Iterator[Cell]:
        """Cells that wait for another attempt, then those that were never begun."""
        yield from self._store.cells(plan.id, CellState.WAITING, AHEAD)
        for number in range(plan.begun, plan.cells):
            yield Cell(number=number, state=CellState.WAITING)

    def _is_ready(self, plan: Plan, layout: Layout, cell: Cell) -> bool:
        """Whether the picture that the cell starts from, if any, is decided on."""
        before = layout.after(cell.number)
        if before is None:
            return True
        other = self._store.cell(plan.id, before)
        return other is not None and other.state in (CellState.DONE, CellState.FAILED)

    def _send(self, plan: Plan, layout: Layout, cell: Cell) -> bool:
        """Hand one cell to the queue; whether it is in there now."""
        try:
            request = layout.request(
                cell.number, _Sources(plan, self._store, self._gallery, self._doors)
            )
            key = f"plan {plan.id} {cell.number} {cell.attempt}"
            job = self._doors.submit(request, plan.owner, key)
        except (DiskFull, LimitReached):
            raise  # it passes: the plan waits
        except GessoError as error:
            self._store.failed(plan.id, cell.number, str(error))
            return False
        self._store.sent(plan.id, cell.number, job.id)
        return True


@dataclass(frozen=True)
class _Sources:
    """What cells need to know of others, as kind.Sources."""

    plan: Plan
    store: PlanStore
    gallery: Gallery
    doors: Doors

    def made_by(self, number: int) -> InputId:
        """The first picture of a cell, kept as an input."""
        id = self.store.first_picture(self.plan.id, number)
        if id is None:
            raise GessoError(NO_PICTURE)
        try:
            made = self.gallery.get(id).path.read_bytes()
            return self.doors.keep(made, self.plan.owner)
        except (NotFound, FileNotFoundError) as error:
            raise GessoError(NO_PICTURE) from error

    def told_by(self, image: InputId) -> GenerationRequest | None:
        """What a picture says of itself."""
        return self.doors.told_by(image)


def layout_of(asked: PlanRequest, kinds: Registry[Kind]) -> Layout:
    """The cells of a settled plan."""
    kind = kinds[asked.kind]
    return kind.lay_out(asked.request, decode(kind.options, asked.options))


def _sha256(picture: Picture) -> str:
    """Of the file; "" when it is gone already."""
    try:
        return hashlib.sha256(picture.path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""
