"""What a plan is: a request, a way to vary it, and the cells it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NewType

from webui.core.job import JobId, PersonId
from webui.core.request import GenerationRequest

PlanId = NewType("PlanId", str)


class PlanState(StrEnum):
    """running <-> paused -> done | cancelled. Retrying failed cells brings a plan back to
    running."""

    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether no more cells are handed to the queue."""
        return self in (PlanState.DONE, PlanState.CANCELLED)


class CellState(StrEnum):
    """waiting -> sent -> done | failed. A cell that was never begun has no state of its own."""

    WAITING = "waiting"
    SENT = "sent"
    """Its job is in the queue or at work."""
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class PlanRequest:
    """What a person asks for. `options` are the fields of the kind's own options."""

    kind: str
    request: GenerationRequest = field(default_factory=GenerationRequest)
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One row of the plans table. `asked` is settled: what was left to chance is fixed in it."""

    id: PlanId
    owner: PersonId
    state: PlanState
    asked: PlanRequest
    cells: int
    """How many there are; they are numbered from 0 in the order they are made."""
    begun: int
    """How many were begun, so far in order."""
    created_at: float
    finished_at: float | None = None
    is_settled: bool = False
    """Over, and its grids are saved."""
    round: int = 0
    """How often grids were made of it."""
    grids: tuple[str, ...] = ()
    """Pictures in the gallery."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell that was begun: it becomes one job in the queue."""

    number: int
    state: CellState
    attempt: int = 1
    job_id: JobId | None = None
    reason: str = ""
    """Why it failed, in words."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many of a plan's cells are where; those never begun are in none."""

    waiting: int = 0
    sent: int = 0
    done: int = 0
    failed: int = 0


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a manifest: one picture of a plan. `file` is below the outputs folder."""

    number: int
    index: int
    label: str
    picture_id: str
    file: str
    sha256: str
    seed: int
    width: int
    height: int
    prompt: str
    negative_prompt: str
    model: str
    created_at: float
