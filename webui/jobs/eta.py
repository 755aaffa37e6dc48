"""How long jobs will take, told from how long others took. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from webui.core.recipe import Recipe

RECENT: Final = 8
"""How many of a model's last timings count: the machine may have become busier since."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """It took `seconds` to do `effort` with this model."""

    model: str
    effort: float
    seconds: float


def effort(recipe: Recipe, pictures: int) -> float:
    """What making so many pictures costs, in pixels times steps."""
    strength = recipe.source.denoising_strength if recipe.source else 1.0
    steps = max(1.0, recipe.steps * strength)
    return recipe.width * recipe.height * steps * pictures


def seconds_per_effort(timings: Sequence[Timing], model: str) -> float | None:
    """Told by this model's last jobs, or by those of others when it had none; None without any."""
    own = [timing for timing in timings if timing.model == model]
    paces = [timing.seconds / timing.effort for timing in (own or timings)[-RECENT:]]
    return median(paces) if paces else None


def expected_seconds(timings: Sequence[Timing], recipe: Recipe, pictures: int) -> float | None:
    """How long so many pictures of a recipe take; None when nothing is known yet."""
    pace = seconds_per_effort(timings, recipe.model.id)
    return None if pace is None else pace * effort(recipe, pictures)


def finish_times(remaining: Iterable[float | None], engines: int) -> list[float | None]:
    """Seconds until each job of a queue is done, given what each takes alone, in the order of
    their turn. None from the first unknown one on."""
    free_at = [0.0] * max(1, engines)
    finished: list[float | None] = []
    is_known = True
    for seconds in remaining:
        is_known = is_known and seconds is not None
        if not is_known or seconds is None:
            finished.append(None)
            continue
        first = free_at.index(min(free_at))
        free_at[first] += seconds
        finished.append(free_at[first])
    return finished
