"""A job: one accepted request, from the queue to its pictures."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

from webui.core.recipe import Recipe
from webui.core.request import GenerationRequest

JobId = NewType("JobId", str)
PersonId = NewType("PersonId", str)

LOCAL: Final = PersonId("local")
"""The one person of a server that listens on this machine only."""


class JobState(StrEnum):
    """queued -> running -> saving -> done | failed | cancelled."""

    QUEUED = "queued"
    RUNNING = "running"
    SAVING = "saving"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to the job by itself."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One row of the jobs table."""

    id: JobId
    owner: PersonId
    state: JobState
    request: GenerationRequest
    recipe: Recipe
    """Of the first picture; picture i has `recipe.at(i)`."""
    created_at: float
    """Seconds since 1970; for people only, the order is the table's."""
    attempts: int = 0
    recovered: bool = False
    """Whether an earlier attempt was cut short by a crash or a restart."""
    reason: str = ""
    """Why it failed, or what a comparison found, in words."""
    finished_at: float | None = None
    is_paused: bool = False
    """Whether it waits until its person says otherwise."""
    not_before: float = 0.0
    """When it may begin at the earliest, in seconds since 1970; 0 for any time."""
    gpu_seconds: float = 0.0
    """How long it has had an engine, all attempts together."""

    @property
    def picture_count(self) -> int:
        """How many pictures the job makes when nothing stops it."""
        return self.request.picture_count
