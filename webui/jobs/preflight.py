"""What would become of a request before it is handed in: whether it fits, when it would be done.

Told from this machine's own history. Where that says nothing, nothing is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from webui.core.engine import EngineState, EngineStatus
from webui.core.errors import InvalidRequest
from webui.core.job import JobId, PersonId
from webui.core.recipe import Recipe
from webui.jobs.eta import Load, Timing, expected_seconds, load_of, pixels_of, switch_seconds
from webui.jobs.line import Place, Scene, line_of
from webui.jobs.order import InLine
from webui.jobs.turns import Waiting

SLOW_S: Final = 120.0
"""What takes longer is called slow."""
SLOW_PICTURE_S: Final = 60.0
"""So is a single picture that takes longer than that."""
BYTES_PER_PIXEL: Final = 1.6
"""Of a PNG of a painting; other formats take less."""
ASKED: Final = JobId("?")
MEGA: Final = 1_000_000


class Fit(StrEnum):
    """The verdict in a word."""

    FITS = "fits"
    SLOW = "slow"
    CANNOT = "cannot"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What would become of a request. Seconds are None where this machine does not know yet."""

    verdict: Fit
    reason: str = ""
    """Why it is slow or can't be done, and what would help; "" when it fits."""
    field: str = ""
    """The field of the request or the limit at fault, if it is one."""
    seconds_alone: float | None = None
    """With nobody else in the queue, loading the model included."""
    seconds: float | None = None
    """Until it would be done, as the queue is now."""
    jobs_ahead: int = 0
    loads_model: bool = False
    """Whether another model has to be loaded for it."""
    disk_bytes: int = 0
    """About what its pictures will take on the disk."""
    memory: str = ""
    """What is known of the memory that it needs, in words."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A request of somebody that has not been handed in."""

    owner: PersonId
    priority: int
    recipe: Recipe
    pictures: int
    refused: InvalidRequest | None
    """Why it would be refused, if it would."""
    turns: int
    """How many turns there have been."""
    last_turn: int
    """Which of them was this person's last."""
    waiting: str
    """Why the queue can't go on; "" when it can."""


def refusal(error: InvalidRequest) -> Verdict:
    """The verdict on a request that would not be accepted."""
    return Verdict(verdict=Fit.CANNOT, reason=error.message, field=error.field)


def judge(asked: Question, scene: Scene, engines: Sequence[EngineStatus]) -> Verdict:
    """What would become of a request as things are now."""
    load = load_of(asked.recipe, asked.pictures)
    alone = expected_seconds(scene.timings, load)
    loads = bool(load.model) and load.model not in scene.models.values()
    switch = switch_seconds(scene.timings, load.model, load.family) if loads else 0.0
    place = _place(asked, load, scene)
    verdict = Verdict(
        verdict=Fit.FITS,
        seconds_alone=None if alone is None else alone + switch,
        seconds=place.seconds_left,
        jobs_ahead=place.ahead,
        loads_model=loads,
        disk_bytes=int(pixels_of(asked.recipe) * BYTES_PER_PIXEL) * asked.pictures,
        memory=_memory(scene.timings, load),
    )
    if asked.refused is not None:
        error = asked.refused
        return replace(verdict, verdict=Fit.CANNOT, reason=error.message, field=error.field)
    if reason := _impossible(asked, load, scene.timings, engines):
        return replace(verdict, verdict=Fit.CANNOT, reason=reason)
    reason = _slow(asked, alone, verdict, engines)
    return replace(verdict, verdict=Fit.SLOW if reason else Fit.FITS, reason=reason)


def _place(asked: Question, load: Load, scene: Scene) -> Place:
    """Where the job would stand: behind the person's own, as if they began to wait now."""
    own = [job.waiting for job in scene.waiting if job.waiting.owner == asked.owner]
    last = max((job.waiting.job for job in scene.waiting), default=0)
    waiting = Waiting(
        owner=asked.owner,
        job=last + 1,
        model=load.model,
        priority=asked.priority,
        last_turn=own[0].last_turn if own else asked.last_turn,
        since=own[0].since if own else asked.turns,
    )
    job = InLine(
        id=ASKED, waiting=waiting, family=load.family, pixels=load.pixels, effort=load.effort
    )
    line = line_of(replace(scene, waiting=[*scene.waiting, job]))
    return line.place(ASKED) or Place()


def _impossible(
    asked: Question, load: Load, timings: Sequence[Timing], engines: Sequence[EngineStatus]
) -> str:
    if engines and all(engine.state is EngineState.FAILED for engine in engines):
        return f"The engine can't start. {engines[0].detail}"
    if asked.waiting:
        return asked.waiting
    tried = [t for t in timings if t.model == load.model and t.pixels == load.pixels]
    size = asked.recipe
    if tried and tried[-1].is_out:
        return (
            f"The last time, memory was too short for {size.width} x {size.height} with this "
            "model. Try a smaller size or batch size."
        )
    return ""


def _slow(
    asked: Question, alone: float | None, verdict: Verdict, engines: Sequence[EngineStatus]
) -> str:
    if alone is None:
        return ""
    one = alone / asked.pictures
    if one > SLOW_PICTURE_S:
        device = engines[0].device if engines else ""
        size = f"{pixels_of(asked.recipe) / MEGA:.1f} megapixels"
        where = f" on {device}" if device else ""
        less = verdict.memory or "a smaller size or fewer steps take less"
        return f"{size} at {asked.recipe.steps} steps take long{where}; {less}"
    if alone > SLOW_S:
        return f"{asked.pictures} pictures are many; they come one after the other"
    return ""


def _memory(timings: Sequence[Timing], load: Load) -> str:
    """What the engine had to give up the last time for this model and size."""
    same = [t for t in timings if t.model == load.model and t.pixels == load.pixels]
    return same[-1].memory if same else ""
