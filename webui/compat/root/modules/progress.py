"""Tasks of the page: here the studio's queue has them."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Any

from pydantic import BaseModel, Field

from modules import shared
from webui.compat.missing import unprovided

current_task: str | None = None
pending_tasks: OrderedDict[str, float] = OrderedDict()
finished_tasks: list[str] = []
recorded_results: list[tuple[str, Any]] = []
recorded_results_limit = 2


class ProgressRequest(BaseModel):
    """Which task is asked for."""

    id_task: str | None = Field(default=None)
    id_live_preview: int = Field(default=-1)
    live_preview: bool = Field(default=True)


class ProgressResponse(BaseModel):
    """How far it is."""

    active: bool = Field()
    queued: bool = Field()
    completed: bool = Field()
    progress: float | None = Field(default=None)
    eta: float | None = Field(default=None)
    live_preview: str | None = Field(default=None)
    id_live_preview: int | None = Field(default=None)
    textinfo: str | None = Field(default=None)


def start_task(id_task: str) -> None:
    """A task begins."""
    state = globals()
    state["current_task"] = id_task
    pending_tasks.pop(id_task, None)


def finish_task(id_task: str) -> None:
    """A task is over."""
    state = globals()
    if current_task == id_task:
        state["current_task"] = None
    finished_tasks.append(id_task)
    del finished_tasks[:-16]


def add_task_to_queue(id_job: str) -> None:
    """A task waits."""
    pending_tasks[id_job] = time.time()


def create_task_id(task_type: str) -> str:
    """An id for a task."""
    import secrets

    return f"task({task_type}-{secrets.token_hex(4)})"


def record_results(id_task: str, res: Any) -> None:
    """Keep what a task gave, for a while."""
    recorded_results.append((id_task, res))
    del recorded_results[:-recorded_results_limit]


def progressapi(req: ProgressRequest) -> ProgressResponse:
    """How far a task is."""
    is_active = req.id_task == current_task
    state = shared.state
    done = state.sampling_step / max(state.sampling_steps, 1)
    part = (max(state.job_no, 0) + done) / max(state.job_count, 1)
    return ProgressResponse(
        active=is_active,
        queued=req.id_task in pending_tasks,
        completed=req.id_task in finished_tasks,
        progress=min(part, 1.0) if is_active else 0.0,
        id_live_preview=-1,
        textinfo=state.textinfo,
    )


def setup_progress_api(app: Any) -> None:
    """The studio has its own stream of events."""


def restore_progress(id_task: str) -> tuple[Any, ...]:
    """What a task gave, if it is still kept."""
    return next((res for id, res in recorded_results if id == id_task), ())


__getattr__ = unprovided(__name__)
