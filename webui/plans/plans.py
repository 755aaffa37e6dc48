"""All plans of a studio: accepted durably, fed to the queue a few cells at a time, never lost."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Final

from webui.core.codec import check, decode, encode
from webui.core.errors import GessoError, InvalidRequest, LimitReached, NotFound
from webui.core.events import Cancelled, Failed, Finished, Message
from webui.core.job import LOCAL, PersonId
from webui.core.request import MAX_SEED
from webui.core.result import Picture
from webui.gallery.gallery import Gallery
from webui.jobs.bus import EventBus
from webui.plans.axes import load_axes
from webui.plans.axis import Axes
from webui.plans.doors import Doors
from webui.plans.feeder import Feeder, layout_of
from webui.plans.grids import save_grids
from webui.plans.kind import Draw, Kind, Layout
from webui.plans.kinds import load_kinds
from webui.plans.plan import Cell, CellState, Counts, Line, Plan, PlanId, PlanRequest, PlanState
from webui.plans.store import PlanStore

log = logging.getLogger(__name__)

RETRY_S: Final = 5.0
LOOK_S: Final = 30.0
"""How often open plans are looked at when no event calls for it."""
OPEN: Final = (PlanState.RUNNING, PlanState.PAUSED)
MOST_OPEN: Final = 50
"""Plans of one person with which something is left to do; each is held in memory."""


def _random_seed() -> int:
    return random.SystemRandom().randint(0, MAX_SEED)


class Plans:
    """Usable from any thread. One thread of its own moves all plans on, in turn."""

    def __init__(
        self,
        path: Path,
        doors: Doors,
        gallery: Gallery,
        bus: EventBus,
        *,
        axes: Axes = load_axes,
        retry_s: float = RETRY_S,
        draw: Draw = _random_seed,
    ) -> None:
        """Opens the file at `path`; nothing moves before `start`. `axes`: those of plots."""
        self.axes: Final = axes
        self.kinds: Final = load_kinds(axes)
        self._store: Final = PlanStore(path)
        self._doors: Final = doors
        self._gallery: Final = gallery
        self._bus: Final = bus
        self._retry_s: Final = retry_s
        self._draw: Final = draw
        self._feeder: Final = Feeder(self._store, doors, gallery)
        self._turn: Final = threading.RLock()
        """Held while cells are handed in, so that none is after a cancel."""
        self._layouts: dict[PlanId, Layout] = {}
        self._troubles: dict[PlanId, str] = {}
        self._bell: Final = threading.Event()
        self._is_closed = False
        self._unsubscribe = bus.subscribe(self._hear)
        self._thread: Final = threading.Thread(target=self._run, name="plans", daemon=True)

    def start(self) -> None:
        """Go on with the plans that an earlier server began."""
        self._thread.start()

    def close(self) -> None:
        """End in order; before the queue, the gallery and the list of jobs are closed."""
        self._unsubscribe()
        self._is_closed = True
        self._bell.set()
        if self._thread.is_alive():
            self._thread.join()
        self._store.close()

    def begin(self, asked: PlanRequest, owner: PersonId = LOCAL) -> Plan:
        """Accept a plan: stored when this returns, and made whatever happens.

        Raises InvalidRequest that names the field ("options.x.values"), LimitReached for one plan
        too many; then nothing is made.
        """
        kind = self.kinds.get(asked.kind)
        if kind is None:
            known = ", ".join(kind.id for kind in self.kinds)
            raise InvalidRequest("kind", f"There is no plan “{asked.kind}”. Known are: {known}.")
        if self._store.count_unsettled(owner) >= MOST_OPEN:
            raise LimitReached(
                "kind",
                f"You have {MOST_OPEN} plans that are not over. Wait until one is, or cancel one.",
            )
        try:
            settled, layout = self._settled(kind, asked, owner)
        except InvalidRequest as error:
            raise _of_options(kind, error) from error
        plan = self._store.add(settled, layout.count, owner)
        self._bell.set()
        return plan

    def get(self, id: PlanId) -> Plan:
        """The plan. Raises NotFound."""
        return self._store.get(id)

    def recent(self, owner: PersonId = LOCAL, limit: int = 20) -> list[Plan]:
        """A person's plans, newest first."""
        return self._store.recent(owner, limit)

    def asked_by(self, owner: PersonId) -> Iterator[str]:
        """All that a person's plans were asked for, as JSON."""
        return self._store.asked_by(owner)

    def counts(self, id: PlanId) -> Counts:
        """How many of the plan's cells are where."""
        return self._store.counts(id)

    def faults(self, plan: Plan, limit: int = 20) -> list[tuple[Cell, str]]:
        """The first cells that failed, each with what is special about it."""
        failed = self._store.cells(plan.id, CellState.FAILED, limit)
        return [(cell, self._layout(plan).label(cell.number)) for cell in failed]

    def trouble(self, id: PlanId) -> str:
        """Why a plan can't go on for now, in words; "" when it can."""
        return self._troubles.get(id, "")

    def grids(self, plan: Plan) -> list[Picture]:
        """The grids that were made of the plan and are still there."""
        return list(self._pictures(plan.grids))

    def manifest(self, id: PlanId) -> Iterator[Line]:
        """One line for each picture so far. Raises NotFound."""
        return self._store.lines(self._store.get(id).id)

    def pause(self, id: PlanId) -> Plan:
        """Hand no more cells to the queue; those that are in it are still made."""
        return self._change(id, PlanState.PAUSED, (PlanState.RUNNING,))

    def resume(self, id: PlanId) -> Plan:
        """Go on after a pause."""
        return self._change(id, PlanState.RUNNING, (PlanState.PAUSED,))

    def cancel(self, id: PlanId) -> Plan:
        """End a plan; what it finished stays, and a grid is made of that."""
        plan = self._change(id, PlanState.CANCELLED, OPEN)
        if plan.state is PlanState.CANCELLED:
            for cell in self._store.cells(id, CellState.SENT):
                if cell.job_id is not None:
                    self._doors.cancel(cell.job_id, plan.owner)
        return plan

    def retry(self, id: PlanId) -> Plan:
        """Make the failed cells once more; a cancelled plan goes on where it was."""
        with self._turn:
            plan = self._store.get(id)
            if plan.state is PlanState.CANCELLED or self._store.counts(id).failed:
                plan = self._store.retry(id)
        self._bell.set()
        return plan

    def _settled(
        self, kind: Kind, asked: PlanRequest, owner: PersonId
    ) -> tuple[PlanRequest, Layout]:
        """The plan with nothing left to chance, and its cells; all of it checked."""
        request, options = check(asked.request), decode(kind.options, asked.options)
        request, options = kind.settle(request, options, self._draw)
        layout = kind.lay_out(request, options)
        if kind.is_complete:
            self._doors.check(request, owner)
        for probe in layout.probes():
            if probe.request.mode not in kind.modes:
                tabs = ", ".join(mode.value for mode in kind.modes)
                raise InvalidRequest("kind", f"{kind.label} is for {tabs}. Choose another script.")
            try:
                self._doors.check(check(probe.request), owner)
            except InvalidRequest as error:
                message = f"{probe.words}: {error.message}"
                raise InvalidRequest(probe.field, message) from error
        settled = PlanRequest(kind=kind.id, request=request, options=encode(options))
        return settled, layout

    def _change(self, id: PlanId, state: PlanState, instead_of: Sequence[PlanState]) -> Plan:
        with self._turn:
            plan = self._store.set_state(id, state, instead_of)
        self._bell.set()
        return plan

    def _hear(self, message: Message) -> None:
        if isinstance(message.event, Finished | Failed | Cancelled):
            self._bell.set()

    def _run(self) -> None:
        while not self._is_closed:
            self._bell.clear()
            self._bell.wait(self._round())

    def _round(self) -> float | None:
        """One turn for every plan with something left to do; the seconds until the next, None
        when only an event can bring one."""
        try:
            plans = self._store.unsettled()
        except Exception:
            log.exception("The list of plans can't be read; it is tried again.")
            return self._retry_s
        for plan in plans:
            if self._is_closed:
                break
            self._move_safely(plan)
        if self._troubles:
            return self._retry_s
        return LOOK_S if plans else None

    def _move_safely(self, plan: Plan) -> None:
        """The border where a plan's error ends: the others go on, and it is tried again."""
        try:
            self._move(plan)
        except GessoError as error:
            self._troubles[plan.id] = str(error)
        except Exception as error:
            words = f"Something went wrong inside Gesso: {type(error).__name__}: {error}."
            if self._troubles.get(plan.id) != words:
                log.exception("Plan %s can't go on; it is tried again.", plan.id)
            self._troubles[plan.id] = words
        else:
            self._troubles.pop(plan.id, None)

    def _move(self, plan: Plan) -> None:
        layout = self._layout(plan)
        with self._turn:
            plan = self._feeder.turn(self._store.get(plan.id), layout)
        if plan.state.is_over and not self._store.counts(plan.id).sent:
            hooks = self._doors.hooks()
            grids = save_grids(plan, layout, self._store, self._gallery, self.axes(), hooks)
            self._store.settle(plan.id, [picture.id for picture in grids])
            self._layouts.pop(plan.id, None)
            log.info("Plan %s: %s, %d cells.", plan.id, plan.state.value, plan.cells)

    def _layout(self, plan: Plan) -> Layout:
        """Kept while the plan is open."""
        layout = self._layouts.get(plan.id)
        if layout is None:
            layout = layout_of(plan.asked, self.kinds)
            if not plan.is_settled:
                self._layouts[plan.id] = layout
        return layout

    def _pictures(self, ids: Sequence[str]) -> Iterator[Picture]:
        for id in ids:
            try:
                picture = self._gallery.get(id)
            except NotFound:
                continue
            if not picture.is_trashed:
                yield picture


def _of_options(kind: Kind, error: InvalidRequest) -> InvalidRequest:
    """The error with the whole path of its field: options and request may be at fault."""
    own = {field.name for field in fields(kind.options)}
    if error.field.split(".")[0] in own:
        return InvalidRequest(f"options.{error.field}", error.message)
    return error
