"""What the API shows of the studio's things, as data; the shapes that its clients rely on."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Final

from annotated_types import MaxLen

from webui import __version__
from webui.core.engine import EngineStatus
from webui.core.events import JobProgress
from webui.core.job import Job, JobState, PersonId
from webui.core.model import ModelInfo
from webui.core.recipe import Recipe
from webui.core.request import GenerationRequest, InputId
from webui.core.result import Picture
from webui.gallery.room import free_bytes
from webui.imaging.infotext import join_infotext
from webui.jobs.line import Place
from webui.jobs.run import Live
from webui.resolver.reading import PictureReading
from webui.studio import Studio

MB: Final = 1 << 20
ASK_THE_OWNER: Final = "The owner of this studio is shown why."


@dataclass(frozen=True, kw_only=True)
class PictureView:
    """A picture in a list."""

    id: str
    job_id: str
    index: int
    mode: str
    width: int
    height: int
    prompt: str
    seed: int
    created_at: float
    name: str
    url: str
    thumbnail: str


@dataclass(frozen=True, kw_only=True)
class PictureDetail(PictureView):
    """A picture with all that was recorded of it. `request` asks for it again; changed in some
    field, for one like it."""

    infotext: str
    recipe: Recipe
    request: GenerationRequest
    facts: Mapping[str, str]
    is_trashed: bool


@dataclass(frozen=True, kw_only=True)
class PicturePage:
    """Pictures, newest first. `next` goes into `before` for those that follow; None at the end."""

    pictures: Sequence[PictureView]
    next: str | None


@dataclass(frozen=True, kw_only=True)
class JobView:
    """A job as it is now. `position` is the number of jobs ahead of it, whoever's they are: 0 when
    it is at work, next in turn, held back (`hold` says why) or over. `seconds_left` counts those
    ahead too."""

    id: str
    mode: str
    state: str
    prompt: str
    negative_prompt: str
    position: int
    picture_count: int
    pictures: Sequence[PictureView]
    attempts: int
    recovered: bool
    reason: str
    created_at: float
    finished_at: float | None
    seed: int
    width: int
    height: int
    progress: JobProgress | None
    seconds_left: float | None
    preview_version: int
    hold: str
    """Why it is held back: "paused", "all_paused" (all of this person's), "not_before", or ""."""
    not_before: float
    """When it may begin at the earliest, in seconds since 1970; 0 for any time."""
    gpu_seconds: float
    """How long it has had an engine, all attempts together."""
    verifies: str | None
    """The picture that the job compares its result with, saving nothing."""


@dataclass(frozen=True, kw_only=True)
class DiskView:
    """Room on the disk of the pictures. `is_low` well before the queue has to wait for more."""

    free_bytes: int
    is_low: bool


@dataclass(frozen=True, kw_only=True)
class StateView:
    """Everything that goes on. `boot` changes when the server is started again; `waiting` says
    why the queue can't go on, empty when it can. `jobs` are the person's own, of many only the
    first; `queued` counts all of theirs that wait."""

    boot: str
    version: str
    engines: Sequence[EngineStatus]
    jobs: Sequence[JobView]
    queued: int
    is_paused: bool
    """Whether all of this person's jobs are held back."""
    is_queue_paused: bool
    can_manage: bool
    """Whether this person may put everybody's jobs in order."""
    others_in_queue: bool
    """Whether there are others' jobs to be put in order; told only to who may."""
    waiting: str
    disk: DiskView


@dataclass(frozen=True, kw_only=True)
class InputView:
    """An uploaded picture, its size as it is shown upright."""

    id: InputId
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class ReadPictureView:
    """What a picture or a text says about how a picture was made. `settings` are its own words;
    `missing` names what it needs and is not here, `ignored` has no meaning here. `source` and
    `mask` are fields of parts whose pictures no text can carry."""

    generator: str
    request: GenerationRequest
    prompt: str
    negative_prompt: str
    settings: Mapping[str, str]
    source: Mapping[str, object]
    mask: Mapping[str, object]
    ignored: Mapping[str, str]
    missing: Sequence[str]
    infotext: str


@dataclass(frozen=True, kw_only=True)
class ReadText:
    """A text to be read as A1111's `parameters`."""

    text: Annotated[str, MaxLen(100_000)]


def reading_view(reading: PictureReading) -> ReadPictureView:
    """A reading as it is shown."""
    infotext = reading.infotext
    return ReadPictureView(
        generator=reading.generator,
        request=reading.request,
        prompt=infotext.prompt,
        negative_prompt=infotext.negative_prompt,
        settings=dict(infotext.settings),
        source=dict(reading.source),
        mask=dict(reading.mask),
        ignored=reading.ignored,
        missing=reading.missing,
        infotext=join_infotext(infotext),
    )


@dataclass(frozen=True, kw_only=True)
class ModelView:
    """An entry of the model list. `hash` is None until it was needed once. `variant` says which of
    its family or kind it is; `missing` are the ids of the parts that a checkpoint lacks."""

    id: str
    name: str
    kind: str
    family: str
    size_bytes: int
    hash: str | None
    is_starter: bool
    variant: str
    missing: Sequence[str]


def picture_view(picture: Picture) -> PictureView:
    """A picture for a list."""
    recipe = picture.recipe
    return PictureView(
        id=picture.id,
        job_id=picture.job_id,
        index=picture.index,
        mode=recipe.mode,
        width=picture.width,
        height=picture.height,
        prompt=recipe.prompt,
        seed=recipe.seed,
        created_at=picture.created_at,
        name=picture.path.name,
        url=f"/pictures/{picture.id}",
        thumbnail=f"/pictures/{picture.id}/thumbnail",
    )


def picture_detail(picture: Picture, infotext: str) -> PictureDetail:
    """A picture with its record."""
    return PictureDetail(
        **asdict(picture_view(picture)),
        infotext=infotext,
        recipe=picture.recipe,
        request=picture.recipe.request(),
        facts=picture.facts,
        is_trashed=picture.is_trashed,
    )


def model_view(model: ModelInfo) -> ModelView:
    """A model for the list; where it lies on the disk is nobody's business."""
    return ModelView(
        id=model.id,
        name=model.name,
        kind=model.kind,
        family=model.family,
        size_bytes=model.size_bytes,
        hash=model.hash,
        is_starter=model.is_starter,
        variant=model.variant,
        missing=model.missing,
    )


def state_view(studio: Studio, person: PersonId) -> StateView:
    """What goes on now; only a person's own jobs are shown. Reads the disk: not for the loop."""
    settings = studio.settings.current
    free = free_bytes(settings.outputs)
    order = studio.jobs.order
    return StateView(
        boot=studio.jobs.boot,
        version=__version__,
        engines=_engines(studio, is_owner=studio.queue.may_manage(person)),
        jobs=open_views(studio, person),
        queued=order.queued(person),
        is_paused=order.is_paused(person),
        is_queue_paused=order.is_queue_paused(),
        can_manage=studio.queue.may_manage(person),
        others_in_queue=studio.queue.manages_others(person),
        waiting=studio.queue.waiting(person),
        disk=DiskView(free_bytes=free, is_low=free < 2 * settings.keep_free_mb * MB),
    )


def _engines(studio: Studio, *, is_owner: bool) -> list[EngineStatus]:
    """What each engine is doing. Which model it holds tells what others make, and what is wrong
    with it may name folders: both are for the owner."""
    if is_owner:
        return studio.statuses()
    return [
        replace(status, model="", detail=ASK_THE_OWNER if status.detail else "")
        for status in studio.statuses()
    ]


def open_views(studio: Studio, person: PersonId) -> list[JobView]:
    """A person's jobs that are not over, in the order in which they will run; what is held back
    comes last. Of many that wait, the first."""
    return [_job_view(studio, job, place) for job, place in studio.own_line(person)]


def job_view(studio: Studio, job: Job) -> JobView:
    """A job as it is now. Reads the disk: not for the loop."""
    (view,) = job_views(studio, [job])
    return view


def job_views(studio: Studio, jobs: Sequence[Job]) -> list[JobView]:
    """Jobs as they are now. Reads the disk: not for the loop."""
    places = [Place() if job.state.is_over else studio.queue.place(job) for job in jobs]
    return [_job_view(studio, job, place) for job, place in zip(jobs, places, strict=True)]


def _job_view(studio: Studio, job: Job, place: Place) -> JobView:
    live = studio.dispatcher.live(job.id) or Live()
    # A job that was never begun has no pictures: the index need not be asked for a long queue.
    pictures = studio.gallery.of_job(job.id) if job.attempts else []
    return JobView(
        id=job.id,
        mode=job.recipe.mode,
        state=job.state,
        prompt=job.recipe.prompt,
        negative_prompt=job.recipe.negative_prompt,
        position=place.ahead if job.state is JobState.QUEUED else 0,
        picture_count=job.picture_count,
        pictures=[picture_view(picture) for picture in pictures],
        attempts=job.attempts,
        recovered=job.recovered,
        reason=job.reason,
        created_at=job.created_at,
        finished_at=job.finished_at,
        seed=job.recipe.seed,
        width=job.recipe.width,
        height=job.recipe.height,
        progress=None if job.state.is_over else live.progress,
        seconds_left=place.seconds_left,
        preview_version=live.version,
        hold=hold_of(studio, job),
        not_before=job.not_before,
        gpu_seconds=round(job.gpu_seconds, 3),
        verifies=job.request.verifies,
    )


def hold_of(studio: Studio, job: Job) -> str:
    """Why a job that waits is held back, "" when it is not."""
    if job.state is not JobState.QUEUED:
        return ""
    if job.is_paused:
        return "paused"
    if studio.jobs.order.is_paused(job.owner):
        return "all_paused"
    return "not_before" if job.not_before > time.time() else ""
