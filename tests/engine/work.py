"""Batches for engines, and looking at what they give."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from webui.core.engine import Work
from webui.core.events import EngineEvent, ImageReady
from webui.core.model import ModelInfo, ModelKind
from webui.core.recipe import ModelRef, Recipe
from webui.core.request import InputId

T = TypeVar("T")

STARTER: Final = ModelInfo(
    id="starter",
    name="starter",
    kind=ModelKind.CHECKPOINT,
    family="sd15",
    path=Path(__file__).parents[2] / "models" / "starter",
    size_bytes=1,
    is_starter=True,
)
RECIPE: Final = Recipe(
    prompt="a red apple, 3d style",
    negative_prompt="",
    model=ModelRef(id="starter", name="starter", family="sd15", hash="0" * 64),
    width=128,
    height=64,
    seed=7,
    sampler="euler",
    schedule="automatic",
    steps=4,
    guidance_scale=4.0,
    clip_skip=1,
    version="0",
)


class Generates(Protocol):
    """What all engines have in common, with or without a process."""

    def generate(self, work: Work) -> Generator[EngineEvent, None, None]: ...


def work(
    recipe: Recipe = RECIPE,
    pictures: int = 1,
    inputs: Mapping[InputId, Path] | None = None,
    preview_every_s: float = 0.0,
    **changes: Any,
) -> Work:
    """A batch of pictures; `changes` are fields of the recipe."""
    first = replace(recipe, **changes)
    return Work(
        recipes=tuple(first.at(index) for index in range(pictures)),
        model=STARTER,
        inputs=inputs or {},
        preview_every_s=preview_every_s,
    )


def images(engine: Generates, batch: Work) -> list[Image.Image]:
    """The pictures of a batch, in order."""
    ready = [event for event in engine.generate(batch) if isinstance(event, ImageReady)]
    return [event.image for event in sorted(ready, key=lambda event: event.index)]


def pixels(image: Image.Image) -> npt.NDArray[np.float64]:
    """(H, W, 3), 0..255."""
    return np.asarray(image.convert("RGB"), dtype=np.float64)


def until(probe: Callable[[], T | None], seconds: float = 20) -> T:
    """What `probe` gives once it is true. Fails when that takes longer than `seconds`."""
    end = time.monotonic() + seconds
    while not (value := probe()):
        assert time.monotonic() < end, f"still not true after {seconds} s"
        time.sleep(0.002)
    return value
