"""From recipes to pictures: the whole way, as one generator of events.

To be run in one thread under torch.inference_mode. Closing the generator ends the batch.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Final

import diffusers
import torch
from torch import Tensor

from webui.core.engine import Work
from webui.core.errors import (
    EngineDied,
    EngineError,
    GessoError,
    InvalidRequest,
    ModelUnreadable,
    OutOfMemory,
)
from webui.core.events import EngineEvent, ImageReady, Loading, Preview, Progress
from webui.core.recipe import Recipe
from webui.engine.autoencoder import decode
from webui.engine.batch import Batch, make_batch
from webui.engine.canvas import Canvas, make_canvas
from webui.engine.device import Device
from webui.engine.pipeline_manager import Pipeline, PipelineManager, free_memory
from webui.families import Families
from webui.samplers.sampler import Sampler, Samplers
from webui.schedules.schedule import Schedules
from webui.schedules.walk import walk_sigmas

OUT_OF_MEMORY: Final = ("out of memory", "can't allocate memory", "not enough memory")
DEVICE_LOST: Final = ("CUDA error", "HIP error", "device-side assert")


class Painter:
    """Makes pictures on one device with whichever models it is asked to use."""

    def __init__(
        self, device: Device, families: Families, samplers: Samplers, schedules: Schedules
    ) -> None:
        self.device: Final = device
        self.manager: Final = PipelineManager(families, device.placement)
        self._samplers: Final = samplers
        self._schedules: Final = schedules
        versions = {"torch": torch.__version__, "diffusers": diffusers.__version__}
        self._facts: Final[Mapping[str, str]] = {**device.facts(), **versions}

    def paint(self, work: Work) -> Generator[EngineEvent, None, None]:
        """The events of one batch, as core's Engine.generate gives them, but for Alive.

        Raises InvalidRequest, ModelUnreadable, OutOfMemory, EngineDied.
        """
        failure: EngineError | None = None
        try:
            yield from self._paint(work)
        except GessoError:
            raise
        except (RuntimeError, MemoryError) as error:
            failure = _explain(error, self.device, work)
            if failure is None:
                raise
        if failure is not None:  # only now, without the traceback, is the batch's memory unused
            free_memory()
            raise failure

    def _paint(self, work: Work) -> Iterator[EngineEvent]:
        recipe = work.recipes[0]
        sampler = self._sampler(recipe)
        if not self.manager.is_loaded(work.model):
            yield Loading(model=work.model.name)
        pipeline = self.manager.get(work.model)
        canvas = make_canvas(recipe, work.inputs)
        sigmas = walk_sigmas(
            sampler,
            self._schedules,
            recipe.schedule,
            pipeline.levels,
            recipe.steps,
            recipe.parameters,
            recipe.model.family,
        )
        batch = make_batch(recipe, canvas, pipeline, sampler, sigmas)
        yield from self._paint_batch(work, pipeline, canvas, batch)

    def _paint_batch(
        self, work: Work, pipeline: Pipeline, canvas: Canvas, batch: Batch
    ) -> Iterator[EngineEvent]:
        groups = self._groups(len(work.recipes))
        steps, done = max(1, batch.step_count * len(groups)), 0
        yield Progress(step=0, steps=steps)
        clock = _Clock(work.preview_every_s)
        for group in groups:
            noise = batch.noise([work.recipes[index].seed for index in group])
            x = batch.start(noise)
            for step in batch.steps(x, noise):
                x = step.x
                yield Progress(step=done + step.index + 1, steps=steps)
                if clock.is_due():
                    yield from _previews(pipeline, group, step.denoised)
            done += batch.step_count
            x = batch.settle(x)
            self._check_numbers(work, x)
            for index, latent in zip(group, x, strict=True):
                picture = canvas.finish(decode(pipeline.components.vae, latent))
                yield ImageReady(index=index, image=picture, facts=self._facts)

    def _check_numbers(self, work: Work, latents: Tensor) -> None:
        """Broken weights, and good ones in a precision too small for them, would give black."""
        if not bool(torch.isfinite(latents).all()):
            raise ModelUnreadable(
                work.model.name,
                f"in {self._facts['precision']} it gives values that are no numbers. "
                "Download it again, or look for another version.",
            )

    def _groups(self, count: int) -> Sequence[range]:
        """Which pictures go through the network together.

        On the CPU each alone: it comes sooner, and it is to the last bit what it would be without
        the others, since matrix kernels round differently by the number of rows.
        """
        if self.device.is_cpu:
            return [range(index, index + 1) for index in range(count)]
        return [range(count)]

    def _sampler(self, recipe: Recipe) -> Sampler:
        """Asked before a model is loaded, so that a wrong name is refused at once."""
        sampler = self._samplers.get(recipe.sampler)
        if sampler is None:
            raise InvalidRequest(
                "sampling.sampler",
                f"There is no sampler “{recipe.sampler}”. {_choices(self._samplers)}",
            )
        if recipe.schedule not in self._schedules:
            raise InvalidRequest(
                "sampling.schedule",
                f"There is no schedule “{recipe.schedule}”. {_choices(self._schedules)}",
            )
        return sampler


class _Clock:
    """Says when the next preview is due; never with an interval of 0."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._next = time.monotonic() + interval_s

    def is_due(self) -> bool:
        now = time.monotonic()
        if not self._interval_s or now < self._next:
            return False
        self._next = now + self._interval_s
        return True


def _previews(pipeline: Pipeline, group: range, denoised: Tensor) -> Iterator[Preview]:
    for index, latent in zip(group, denoised, strict=True):
        yield Preview(index=index, jpeg=pipeline.previewer.jpeg(latent))


def _choices(parts: Samplers | Schedules) -> str:
    return f"Choose one of: {', '.join(part.id for part in parts)}."


def _explain(error: Exception, device: Device, work: Work) -> EngineError | None:
    """What a failure of the device means; None if it is not one."""
    text, recipe = str(error), work.recipes[0]
    if isinstance(error, MemoryError) or any(sign in text for sign in OUT_OF_MEMORY):
        count = len(work.recipes)
        return OutOfMemory(
            f"{device.label} has too little memory for {count} picture{'s' if count > 1 else ''} "
            f"of {recipe.width} x {recipe.height}. Try a smaller size or batch size."
        )
    if any(sign in text for sign in DEVICE_LOST):
        return EngineDied(
            f"{device.label} stopped working ({text.splitlines()[0]}). The engine starts again; "
            "if this happens often, update the driver."
        )
    return None
