"""An engine without a model: it draws a test pattern that depends on the recipe, and nothing else.

Shipped, not only tested with: `--engine fake` shows the whole studio on any machine.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from webui.core.codec import decode
from webui.core.engine import EngineState, EngineStatus, Work
from webui.core.errors import ExtensionFailed
from webui.core.events import Alive, EngineEvent, ImageReady, Loading, Preview, Progress
from webui.core.model import ModelInfo
from webui.core.recipe import Recipe
from webui.core.request import Noise
from webui.engine.asking import LEGACY, Events, take_over
from webui.engine.canvas import Inputs, Overlay, make_canvas
from webui.engine.extensions.calls import Calls, Participant
from webui.engine.extensions.loading import Loader
from webui.engine.extensions.pictures import HOOKS, finished, overlaid
from webui.engine.extras_fit import cropped, enlarged_size, open_source
from webui.engine.faults import AT_LOADING, AT_START, Fault, Faults
from webui.engine.hires_size import hires_size

DEVICE: Final = "Test patterns"
PREVIEW_SCALE: Final = 4


@dataclass(frozen=True, kw_only=True)
class FakeOptions:
    """What `create` understands. Times in seconds; `tally` is a folder, see Faults; `legacy` names
    what batches with old scripts run through, see asking.py."""

    seconds_per_step: float = 0.0
    load_seconds: float = 0.0
    faults: tuple[Fault, ...] = ()
    tally: Path | None = None
    legacy: str = LEGACY


def create(options: Mapping[str, object]) -> FakeEngine:
    """The fake engine for a process of its own, whose faults may end that process."""
    chosen = decode(FakeOptions, options)
    return FakeEngine(
        "fake",
        seconds_per_step=chosen.seconds_per_step,
        load_seconds=chosen.load_seconds,
        faults=Faults(chosen.faults, chosen.tally, owns_process=True),
        legacy=chosen.legacy,
    )


class FakeEngine:
    """Satisfies both core's Engine, for use within the web process, and InProcessEngine."""

    def __init__(
        self,
        id: str = "fake",
        *,
        seconds_per_step: float = 0.0,
        load_seconds: float = 0.0,
        faults: Faults | None = None,
        legacy: str = LEGACY,
    ) -> None:
        self.id = id
        self._seconds_per_step: Final = seconds_per_step
        self._load_seconds: Final = load_seconds
        self._faults: Final = faults or Faults()
        self._legacy: Final = legacy
        self._extensions: Final = Loader()
        self._state = EngineState.STARTING
        self._model = ""
        self._is_releasing = False
        self._on_change: Callable[[], None] = lambda: None

    def prepare(self) -> str:
        """The name of what stands in for a device."""
        self._faults.strike(AT_START)
        return DEVICE

    def start(self, on_change: Callable[[], None]) -> None:
        """Ready at once."""
        self._on_change = on_change
        self.prepare()
        self._enter(EngineState.READY)

    def status(self) -> EngineStatus:
        """What the engine is doing now."""
        return EngineStatus(id=self.id, state=self._state, device=DEVICE, model=self._model)

    def expect(self, model: ModelInfo) -> None:
        """There is nothing to get ready."""

    def release(self) -> None:
        """As core's Engine.release: there is nothing to free but the model's name."""
        self._is_releasing = True
        if self._state is not EngineState.BUSY:
            self._enter(self._state)

    def close(self) -> None:
        """Nothing is held, so nothing is freed."""
        self._enter(EngineState.CLOSED)

    def generate(self, work: Work) -> Events:
        """As core's Engine.generate."""
        self._enter(EngineState.BUSY)
        try:
            yield from take_over(work, self._paint, self._legacy)
        finally:
            self._enter(EngineState.READY)

    def _paint(self, work: Work, others: Iterable[Participant] = ()) -> Events:
        """With those hooks of extensions that need no tensors."""
        calls = self._extensions.calls(work, HOOKS, others)
        try:
            yield from finished(calls, self._draw(work, calls))
        except ExtensionFailed:
            yield from calls.told()
            raise

    def _draw(self, work: Work, calls: Calls) -> Iterator[EngineEvent]:
        yield from self._load(work)
        overlay = partial(overlaid, calls)
        pictures, facts = [], []
        for recipe in work.recipes:
            pictures.append(_make(recipe, work.inputs, overlay))
            facts.append({"device": DEVICE, **calls.facts()})
        yield from self._steps(work, pictures)
        for index, picture in enumerate(pictures):
            yield ImageReady(index=index, image=picture, facts=facts[index])

    def _enter(self, state: EngineState) -> None:
        if self._is_releasing and state is not EngineState.BUSY:
            self._model, self._is_releasing = "", False
        self._state = state
        self._on_change()

    def _load(self, work: Work) -> Iterator[EngineEvent]:
        if work.model.id == self._model or work.recipes[0].extras is not None:
            return
        yield Loading(model=work.model.name)
        self._faults.strike(AT_LOADING, work.recipes[0].prompt)
        ready_at = time.monotonic() + self._load_seconds
        while (left := ready_at - time.monotonic()) > 0:
            yield Alive()
            time.sleep(min(left, 0.1))
        self._model = work.model.id

    def _steps(self, work: Work, pictures: list[Image.Image]) -> Iterator[EngineEvent]:
        steps, prompt = _steps(work.recipes[0]), work.recipes[0].prompt
        next_preview = time.monotonic()
        yield Progress(step=0, steps=steps)
        for step in range(1, steps + 1):
            self._faults.strike(step, prompt)
            time.sleep(self._seconds_per_step)
            yield Progress(step=step, steps=steps)
            if work.preview_every_s and time.monotonic() >= next_preview:
                next_preview = time.monotonic() + work.preview_every_s
                for index, picture in enumerate(pictures):
                    yield Preview(index=index, jpeg=_preview(picture, step / steps))


def _steps(recipe: Recipe) -> int:
    """Of all passes."""
    return recipe.steps + (0 if recipe.hires is None else recipe.hires.steps or recipe.steps)


def _make(recipe: Recipe, inputs: Inputs, overlay: Overlay) -> Image.Image:
    """What the recipe asks for: a painted picture, or one that is there already, enlarged."""
    if recipe.extras is None:
        return _paint(recipe, inputs, overlay)
    source = open_source(recipe.extras, inputs)
    larger = source.resize(enlarged_size(source.size, recipe, recipe.extras))
    return cropped(larger, recipe, recipe.extras)


def _paint(recipe: Recipe, inputs: Inputs, overlay: Overlay) -> Image.Image:
    """The pattern; over a source as strong as the denoising, within a mask if there is one."""
    pattern = _pattern(recipe, *_painted_size(recipe))
    canvas = make_canvas(recipe, inputs, overlay)
    if canvas.source is None or recipe.source is None:
        return canvas.finish(pattern)
    source = canvas.source.resize(pattern.size)
    return canvas.finish(Image.blend(source, pattern, recipe.source.denoising_strength))


def _painted_size(recipe: Recipe) -> tuple[int, int]:
    if recipe.hires is None:
        return recipe.width, recipe.height
    size = hires_size(recipe.width, recipe.height, recipe.hires)
    return size.width, size.height


def _pattern(recipe: Recipe, width: int, height: int) -> Image.Image:
    """Soft waves between three colours; the words choose the colours, the seed the waves."""
    words = f"{recipe.prompt}\n{recipe.negative_prompt}\n{recipe.sampler}\n{recipe.steps}"
    colours = np.random.default_rng(_number(words)).uniform(40, 235, (3, 3))
    noise = "" if recipe.noise == Noise() else repr(recipe.noise)
    waves = np.random.default_rng(_number(f"{words}\n{recipe.seed}{noise}"))
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    first, second = _wave(waves, x, y), _wave(waves, x, y)
    pixels = colours[0] + first * (colours[1] - colours[0])
    pixels += second * (colours[2] - pixels)
    return Image.fromarray(pixels.round().astype(np.uint8))


def _wave(
    random: np.random.Generator, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """(H, W, 1), 0..1."""
    angle, phase, bend = random.uniform(0, 2 * np.pi, 3)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    bent = 2 * np.pi * along * random.uniform(0.6, 2.0) + phase + np.sin(5 * across + bend)
    wave: npt.NDArray[np.float64] = 0.5 + 0.5 * np.sin(bent)
    return wave[..., None]


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def _preview(picture: Image.Image, fraction: float) -> bytes:
    """A small JPEG in which the picture comes out of grey."""
    size = (max(1, picture.width // PREVIEW_SCALE), max(1, picture.height // PREVIEW_SCALE))
    small = picture.resize(size)
    jpeg = io.BytesIO()
    Image.blend(Image.new("RGB", size, (128, 128, 128)), small, fraction).save(jpeg, "JPEG")
    return jpeg.getvalue()
