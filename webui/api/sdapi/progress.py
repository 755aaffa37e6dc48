"""How far a caller's own work is, as A1111 tells it. Nobody else's work shows in it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Final

from PIL import Image

from webui.api.sdapi.answers import timestamp
from webui.api.sdapi.desk import Desk
from webui.api.sdapi.pictures import as_png, write_base64
from webui.core.job import Job, JobId, JobState, PersonId
from webui.jobs.line import Place
from webui.jobs.run import Live
from webui.plans.plan import PlanId
from webui.studio import Studio

BUSY: Final = 0.01
"""Where progress begins: 0 tells programs that nothing goes on."""


def read_progress(
    studio: Studio, desk: Desk, person: PersonId, *, has_image: bool
) -> dict[str, Any]:
    """The answer of /progress: the caller's job at work, or else the next in turn; of a script
    that a program waits for, all of it."""
    line, plans = studio.own_line(person), desk.plans_of(person)
    if not line and not plans:
        return _answer(0.0, 0.0, _state(), None, None)
    answer = _of_job(studio, desk, *line[0], has_image=has_image) if line else _between()
    return _with_plan(studio, plans[0], answer) if plans else answer


def _of_job(
    studio: Studio, desk: Desk, job: Job, place: Place, *, has_image: bool
) -> dict[str, Any]:
    live = studio.dispatcher.live(job.id)
    image = current_image(live) if has_image else None
    return _answer(
        fraction(live),
        max(0.0, place.seconds_left or 0.0),
        _state(job, live, desk.task_of(job.id) or job.recipe.mode.value),
        write_base64(image) if image else None,
        words(job, place, live),
    )


def _between() -> dict[str, Any]:
    """Of a script whose next cell is not in the queue yet, or whose grid is being drawn."""
    return _answer(BUSY, 0.0, _state(), None, None)


def _with_plan(studio: Studio, id: PlanId, answer: dict[str, Any]) -> dict[str, Any]:
    """The answer for a cell, made one for all cells of its plan."""
    plan, counts = studio.plans.get(id), studio.plans.counts(id)
    over = counts.done + counts.failed
    done = (over + (answer["progress"] if over < plan.cells else 0.0)) / plan.cells
    state = {**answer["state"], "job_count": plan.cells, "job_no": min(over, plan.cells - 1)}
    return answer | {"progress": max(BUSY, min(1.0, done)), "state": state}


def fraction(live: Live | None) -> float:
    """From BUSY to 1, of a job that is not over."""
    done = live.progress.fraction if live and live.progress else 0.0
    return min(1.0, BUSY + done * (1 - BUSY))


def words(job: Job, place: Place, live: Live | None) -> str | None:
    """What goes on when there are no steps to count."""
    if live is not None and live.progress is not None:
        return live.progress.note or None
    if job.state is not JobState.QUEUED or not place.ahead:
        return None
    return f"In queue: {place.ahead} {'job' if place.ahead == 1 else 'jobs'} ahead"


def current_image(live: Live | None) -> bytes | None:
    """The newest preview as PNG."""
    if live is None or live.preview is None:
        return None
    with Image.open(io.BytesIO(live.preview), formats=("JPEG",)) as preview:
        return as_png(preview)


def task_answer(
    studio: Studio, desk: Desk, person: PersonId, task: str, seen: int, *, has_image: bool
) -> dict[str, Any]:
    """The answer of /internal/progress about a job that a program gave a name to. `seen` is the
    preview that it has already."""
    id = desk.job_of(person, task)
    job = None if id is None else studio.jobs.get(id)
    answer: dict[str, Any] = {
        "active": False,
        "queued": False,
        "completed": job is not None and job.state.is_over,
        "progress": None,
        "eta": None,
        "live_preview": None,
        "id_live_preview": seen,
        "textinfo": None,
    }
    if job is None or job.state.is_over:
        return answer
    place = next((place for own, place in studio.own_line(person) if own.id == job.id), None)
    if place is None:
        return answer | {"completed": True}
    live = studio.dispatcher.live(job.id)
    answer |= {
        "active": job.state is not JobState.QUEUED,
        "queued": job.state is JobState.QUEUED,
        "progress": fraction(live),
        "eta": place.seconds_left,
        "textinfo": words(job, place, live),
    }
    if has_image and live is not None and live.version > seen and (image := current_image(live)):
        uri = f"data:image/png;base64,{write_base64(image)}"
        answer |= {"live_preview": uri, "id_live_preview": live.version}
    return answer


def pending_tasks(studio: Studio, desk: Desk, person: PersonId) -> dict[str, Any]:
    """The caller's jobs that wait, by the names that programs gave to them, else by our ids."""
    waiting = [job.id for job, _ in studio.own_line(person) if job.state is JobState.QUEUED]
    tasks: Sequence[str] = [desk.task_of(id) or id for id in waiting]
    return {"size": len(tasks), "tasks": tasks}


def cut_short(studio: Studio, desk: Desk, person: PersonId, *, goes_on: bool) -> JobId | None:
    """End the caller's job that /progress shows and the plan that a program waits for; with
    `goes_on` only the batch at work."""
    for plan in () if goes_on else desk.plans_of(person):
        studio.plans.cancel(plan)
    line = studio.own_line(person)
    if not line:
        return None
    id = line[0][0].id
    live = studio.dispatcher.live(id)
    desk.cut_short(id, live.preview if live else None, goes_on=goes_on)
    studio.cancel(id, person)
    return id


def _state(job: Job | None = None, live: Live | None = None, name: str = "") -> dict[str, Any]:
    progress = live.progress if live else None
    size = job.request.batch_size if job else 1
    return {
        "skipped": False,
        "interrupted": False,
        "stopping_generation": False,
        "job": name,
        "job_count": job.request.batch_count if job else 0,
        "job_timestamp": timestamp(job.created_at) if job else "0",
        "job_no": (progress.picture - 1) // size if progress else 0,
        "sampling_step": progress.step if progress else 0,
        "sampling_steps": progress.steps if progress else (job.recipe.steps if job else 0),
    }


def _answer(
    progress: float, eta: float, state: dict[str, Any], image: str | None, text: str | None
) -> dict[str, Any]:
    return {
        "progress": progress,
        "eta_relative": eta,
        "state": state,
        "current_image": image,
        "textinfo": text,
    }
