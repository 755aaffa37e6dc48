"""The way of one request of a program: understood, handed in, waited for, answered.

Waiting holds no thread. Whoever goes away before the answer leaves the job: it is made and stays
in their history.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final

from starlette.concurrency import run_in_threadpool

from webui.api.sdapi.always_on import put_always_on
from webui.api.sdapi.answers import (
    Made,
    check_answer,
    file_of,
    generation_answer,
    grid_file,
    unfinished_file,
)
from webui.api.sdapi.arguments import IMAGE, TEXT
from webui.api.sdapi.desk import Desk
from webui.api.sdapi.errors import Refused
from webui.api.sdapi.fields import Asked, GenerationFields, ImageFields, TextFields, read_request
from webui.api.sdapi.options import read_options, said_options
from webui.api.sdapi.pictures import enlarged
from webui.api.sdapi.scripts import Planned, find_plan
from webui.api.sdapi.submitting import submit_all
from webui.api.sdapi.translate import Order, Translator
from webui.api.waiting import until_over
from webui.core.errors import GessoError, UnreadablePicture
from webui.core.job import Job, JobId, JobState, PersonId
from webui.core.request import MAX_SEED, GenerationRequest
from webui.core.result import Picture
from webui.plans.plan import Plan, PlanId, PlanState
from webui.studio import Studio

PLAN_LOOK_S: Final = 0.5
FAILED: Final = HTTPStatus.INTERNAL_SERVER_ERROR


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The body of an answer. `pictures` were made for it and are not to be kept."""

    body: bytes
    pictures: Sequence[str]
    ignored: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A request that was handed in: as jobs, or as a plan."""

    asked: Asked[Any]
    order: Order
    jobs: Sequence[JobId] = ()
    plan: PlanId | None = None
    planned: Planned | None = None


@dataclass(frozen=True, kw_only=True)
class Maker:
    """Makes pictures for one caller. Its methods raise GessoError and ValidationError."""

    studio: Studio
    desk: Desk
    person: PersonId

    async def make(self, kind: type[GenerationFields], body: bytes) -> Accepted:
        """Understand a request and hand it in."""
        return await run_in_threadpool(self._accept, kind, body)

    async def answer(self, accepted: Accepted) -> Answer:
        """Wait until it is over; what to answer then."""
        if accepted.plan is not None:
            with self.desk.waiting_for(self.person, accepted.plan):
                await self._until_settled(accepted.plan)
            return await run_in_threadpool(self._plan_answer, accepted, accepted.plan)
        jobs = [job for id in accepted.jobs for job in await self._until_over(id)]
        return await run_in_threadpool(self._job_answer, accepted, jobs)

    def discard(self, pictures: Sequence[str]) -> None:
        """Put pictures into the trash that were delivered and are not to be kept."""
        for id in pictures:
            with contextlib.suppress(GessoError):
                self.studio.gallery.trash(id)

    def _accept(self, kind: type[GenerationFields], body: bytes) -> Accepted:
        asked = read_request(kind, body)
        fields = asked.fields
        tab = IMAGE if isinstance(fields, ImageFields) else TEXT
        order = self._order(fields)
        requests = [
            put_always_on(request, fields.alwayson_scripts, tab) for request in order.requests
        ]
        planned = find_plan(requests[0], fields.script_name, fields.script_args, tab)
        accepted = Accepted(
            asked=asked, order=replace(order, ignored=(*asked.unknown, *order.ignored))
        )
        if planned is not None:
            accepted = replace(accepted, plan=self._begin(planned, fields), planned=planned)
        else:
            check_answer(fields, requests)
            jobs = submit_all(self.studio, self.person, requests)
            accepted = replace(accepted, jobs=jobs)
        self._remember(accepted)
        return accepted

    def _begin(self, planned: Planned, fields: GenerationFields) -> PlanId:
        plan = self.studio.plans.begin(planned.plan, self.person)
        try:
            check_answer(fields, [plan.asked.request], plan.cells)
        except Refused:
            self.studio.plans.cancel(plan.id)
            raise
        return plan.id

    def _remember(self, accepted: Accepted) -> None:
        """The name that a program gave to its jobs, and overrides that are to last."""
        fields = accepted.asked.fields
        for job in accepted.jobs if fields.force_task_id else ():
            self.desk.name_task(self.person, fields.force_task_id, job)
        if not fields.override_settings_restore_afterwards:
            own = self.desk.options(self.person)
            lasting = read_options(self.studio, said_options(fields.override_settings), own).own
            self.desk.remember(self.person, lasting)

    def _order(self, fields: GenerationFields) -> Order:
        translator = Translator(
            studio=self.studio,
            options=self.desk.options(self.person),
            keep=lambda data: self.studio.inputs.add(data, self.person),
        )
        if isinstance(fields, ImageFields):
            return translator.of_image(fields)
        assert isinstance(fields, TextFields)
        return translator.of_text(fields)

    async def _until_over(self, id: JobId) -> list[Job]:
        """The job when it is over; with it the one that makes the rest after a skip."""
        job = await until_over(self.studio, id)
        if job.state is JobState.CANCELLED and self.desk.take_skipped(id):
            rest = await run_in_threadpool(self._rest_of, job)
            if rest is not None:
                return [job, *await self._until_over(rest)]
        return [job]

    def _rest_of(self, job: Job) -> JobId | None:
        """A job for what is left behind the batch at which one was cut short, if anything is."""
        request = job.request
        batch = len(self.studio.gallery.indices(job.id)) // request.batch_size + 1
        if batch >= request.batch_count:
            return None
        rest = replace(request, batch_count=request.batch_count - batch)
        later = self.studio.submit(_later(rest, batch * request.batch_size), self.person)
        if task := self.desk.task_of(job.id):
            self.desk.name_task(self.person, task, later.id)
        return later.id

    async def _until_settled(self, id: PlanId) -> None:
        while not (await run_in_threadpool(self.studio.plans.get, id)).is_settled:
            await asyncio.sleep(PLAN_LOOK_S)

    def _job_answer(self, accepted: Accepted, jobs: Sequence[Job]) -> Answer:
        for job in jobs:
            if job.state is JobState.FAILED:
                raise Refused(FAILED, job.reason)
        pictures = [picture for job in jobs for picture in self.studio.gallery.of_job(job.id)]
        made = Made(
            recipes=[picture.recipe for picture in pictures] or [jobs[0].recipe.at(0)],
            files=[file_of(self.studio, picture) for picture in pictures],
            created_at=jobs[0].created_at,
        )
        if not pictures:
            made = self._with_unfinished(made, jobs[-1])
        if accepted.asked.fields.save_images and len(made.files) > 1:
            made = replace(made, grids=[grid_file(made.files)])
        return self._answer(accepted, made, pictures)

    def _with_unfinished(self, made: Made, job: Job) -> Made:
        jpeg = self.desk.take_unfinished(job.id)
        if jpeg is None:
            return made
        recipe = made.recipes[0]
        try:
            picture = enlarged(jpeg, (recipe.width, recipe.height))
        except UnreadablePicture:
            return made
        return replace(made, files=[unfinished_file(self.studio, recipe, picture)])

    def _plan_answer(self, accepted: Accepted, id: PlanId) -> Answer:
        plans, planned = self.studio.plans, accepted.planned
        assert planned is not None
        plan = plans.get(id)
        was_ended = plan.state is PlanState.CANCELLED
        if not was_ended and not plans.counts(id).done and (faults := plans.faults(plan, 1)):
            raise Refused(FAILED, f"{faults[0][1]}: {faults[0][0].reason}")
        grids = plans.grids(plan)
        cells = self._cells(plan)
        shown = cells if planned.has_cells or not grids else []
        made = Made(
            recipes=[cell.recipe for cell in cells] or [self.studio.resolve(plan.asked.request)],
            files=[file_of(self.studio, cell) for cell in shown],
            grids=[file_of(self.studio, grid) for grid in grids] if planned.has_grid else (),
            created_at=plan.created_at,
        )
        return self._answer(accepted, made, [*cells, *grids])

    def _cells(self, plan: Plan) -> list[Picture]:
        lines = sorted(
            self.studio.plans.manifest(plan.id), key=lambda line: (line.number, line.index)
        )
        found = [self.studio.gallery.get(line.picture_id) for line in lines]
        return [picture for picture in found if not picture.is_trashed]

    def _answer(self, accepted: Accepted, made: Made, pictures: Sequence[Picture]) -> Answer:
        fields, ignored = accepted.asked.fields, accepted.order.ignored
        body = generation_answer(self.studio, fields, accepted.asked.echo, made, ignored)
        gone = () if fields.save_images else [picture.id for picture in pictures]
        return Answer(body=body, pictures=gone, ignored=ignored)


def _later(request: GenerationRequest, pictures: int) -> GenerationRequest:
    """The request that begins so many pictures later: their seeds go on."""
    noise = request.noise
    if noise.variation_strength:
        seed = ((noise.variation_seed or 0) + pictures) % (MAX_SEED + 1)
        return replace(request, noise=replace(noise, variation_seed=seed))
    return replace(request, seed=((request.seed or 0) + pictures) % (MAX_SEED + 1))
