"""How long jobs will take, told from how long others took on this machine. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from webui.core.recipe import Recipe

RECENT: Final = 8
"""How many of a model's last timings count: the machine may have become busier since."""
ALIKE: Final = 1.6
"""Sizes up to so many times as large or small take about as long per pixel."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """It took `seconds` to do `effort` with this model, after `load_s` to load it. `effort` is 0
    for a batch that did not come to its end."""

    model: str
    family: str = ""
    pixels: int = 0
    """Of one picture; 0 when not known."""
    pictures: int = 1
    """Made at once."""
    effort: float
    seconds: float
    load_s: float = 0.0
    memory: str = ""
    """What was given up because memory was short."""
    is_out: bool = False
    """It failed for want of memory."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What a job asks of an engine. `effort` is in pixels times steps, of all its pictures."""

    model: str
    family: str = ""
    pixels: int = 0
    effort: float


def load_of(recipe: Recipe, pictures: int) -> Load:
    """What so many pictures of a recipe ask of an engine."""
    return Load(
        model=recipe.model.id,
        family=recipe.model.family,
        pixels=pixels_of(recipe),
        effort=effort(recipe, pictures),
    )


def effort(recipe: Recipe, pictures: int) -> float:
    """What making so many pictures costs, in pixels times steps of all passes."""
    strength = recipe.source.denoising_strength if recipe.source else 1.0
    steps = max(1.0, recipe.steps * strength)
    first = recipe.width * recipe.height * steps
    if recipe.hires is None:
        return first * pictures
    second_steps = (recipe.hires.steps or recipe.steps) * recipe.hires.denoising_strength
    return (first + pixels_of(recipe) * max(1.0, second_steps)) * pictures


def pixels_of(recipe: Recipe) -> int:
    """How large each picture becomes."""
    hires = recipe.hires
    if hires is None:
        return recipe.width * recipe.height
    if hires.width and hires.height:
        return hires.width * hires.height
    return int(recipe.width * recipe.height * hires.scale**2)


def seconds_per_effort(
    timings: Sequence[Timing], model: str, family: str = "", pixels: int = 0
) -> float | None:
    """Told by this model's last batches, those of about this size first; by those of its family
    or of others when it had none. None without any."""
    for group in _groups([t for t in timings if t.effort > 0], model, family, pixels):
        if group:
            return median(timing.seconds / timing.effort for timing in group[-RECENT:])
    return None


def expected_seconds(timings: Sequence[Timing], load: Load) -> float | None:
    """How long a job takes once its model is loaded; None when nothing is known yet."""
    pace = seconds_per_effort(timings, load.model, load.family, load.pixels)
    return None if pace is None else pace * load.effort


def switch_seconds(timings: Sequence[Timing], model: str, family: str = "") -> float:
    """How long it takes to load a model that is not loaded; 0 when that is not known yet."""
    loaded = [timing for timing in timings if timing.load_s > 0]
    own = [timing for timing in loaded if timing.model == model]
    alike = [timing for timing in loaded if timing.family == family]
    times = [timing.load_s for timing in (own or alike or loaded)[-RECENT:]]
    return median(times) if model and times else 0.0


def _groups(
    timings: Sequence[Timing], model: str, family: str, pixels: int
) -> Iterator[list[Timing]]:
    """Those that tell most first."""
    own = [timing for timing in timings if timing.model == model]
    related = [timing for timing in timings if family and timing.family == family]
    yield from (_alike(own, pixels), own, _alike(related, pixels), related, list(timings))


def _alike(timings: Iterable[Timing], pixels: int) -> list[Timing]:
    return [t for t in timings if pixels / ALIKE <= t.pixels <= pixels * ALIKE]
