"""From recipes to pictures: the whole way, as one generator of events.

To be run in one thread under torch.inference_mode. Closing the generator ends the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Final

import diffusers
import torch
from torch import Tensor

from webui.core.engine import Work
from webui.core.errors import EngineDied, EngineError, GessoError, ModelUnreadable, OutOfMemory
from webui.core.events import EngineEvent, ImageReady
from webui.core.recipe import Recipe
from webui.engine.asking import Events
from webui.engine.attention import choose_attention
from webui.engine.autoencoder import note_of
from webui.engine.canvas import Canvas, make_canvas
from webui.engine.device import Device
from webui.engine.extras import work_on
from webui.engine.graphs.choice import make_compiler
from webui.engine.hires import enlarged, upscaling_steps
from webui.engine.last_model import LastModel
from webui.engine.memory.history import History
from webui.engine.memory.shortage import free_memory, is_out_of_memory
from webui.engine.memory.thrift import Thrift
from webui.engine.passes.bench import Bench, Group, make_bench
from webui.engine.passes.meter import Meter
from webui.engine.passes.pixels import decoded
from webui.engine.passes.plan import batch_key, passes_of
from webui.engine.passes.start import Start, start_on_canvas
from webui.engine.passes.walk import walk_pass
from webui.engine.pipeline_manager import Pipeline, PipelineManager
from webui.engine.safe_files import made_safe
from webui.engine.weights.store import WeightStore
from webui.families import Families
from webui.modelfiles.conversion import Converter
from webui.samplers.sampler import Samplers
from webui.schedules.schedule import Schedules

HISTORY: Final = "memory.json"
CONVERTED: Final = "converted"
COMPILED: Final = "compiled"
ATTENTION: Final = "attention.json"
LAST_MODEL: Final = "last-model.json"
DEVICE_LOST: Final = ("CUDA error", "HIP error", "device-side assert")


class Painter:
    """Makes pictures on one device with whichever models it is asked to use."""

    def __init__(
        self,
        device: Device,
        families: Families,
        samplers: Samplers,
        schedules: Schedules,
        state: Path | None = None,
        available: Callable[[WeightStore], float] | None = None,
        *,
        compiles: bool = False,
        is_fp8: bool = False,
    ) -> None:
        """`state`: a folder for what is learnt of this machine. `available`: how much more memory
        may be taken; by default the device says so. `compiles`: in the background, see
        graphs/compiler.py. `is_fp8`: networks multiply in 8 bits, see engine/fp8."""
        self.device: Final = device
        self._history: Final = History(None if state is None else state / HISTORY)
        self.last_model: Final = LastModel(None if state is None else state / LAST_MODEL)
        compiled = None if state is None else state / COMPILED
        compiler = make_compiler(device.placement.device, compiled) if compiles else None
        measured = None if state is None else state / ATTENTION
        attention = choose_attention(device.placement.device, device.placement.dtype, measured)
        attention.switch()
        self.manager: Final = PipelineManager(
            families, device.placement, available, compiler, attention, is_fp8=is_fp8
        )
        self._converter: Final = Converter(None if state is None else state / CONVERTED)
        self._samplers: Final = samplers
        self._schedules: Final = schedules
        versions = {"torch": torch.__version__, "diffusers": diffusers.__version__}
        ways = {} if device.is_cpu else {"attention": attention.kind}
        ways |= {"matrices": "float8_e4m3fn"} if is_fp8 else {}
        self._facts: Final[Mapping[str, str]] = {**device.facts(), **ways, **versions}

    def paint(self, work: Work) -> Events:
        """The events of one batch, as core's Engine.generate gives them, but for Alive.

        Raises InvalidRequest, ModelUnreadable, OutOfMemory, EngineDied.
        """
        failure: EngineError | None = None
        try:
            yield from self._paint((yield from made_safe(work, self._converter)))
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
        """Names are looked up before a model is loaded, so that a wrong one is refused at once."""
        if work.recipes[0].extras is not None:
            yield from self._work_on_pictures(work)
            return
        passes = passes_of(work.recipes[0], work)
        key = batch_key(passes, work)
        known = self._history.of(key)
        thrift, peak = Thrift(self.manager, known.frugality), known.peak_bytes
        bench = make_bench(
            self.device, self.manager, self._samplers, self._schedules, work, passes, thrift, peak
        )
        yield from bench.load()
        self.last_model.note(work.model)
        pipeline = bench.pipeline(work.model)
        canvas = make_canvas(work.recipes[0], work.inputs)
        is_adaptive = any(bench.sampler(each).is_adaptive for each in passes)
        groups = self._groups(work, is_adaptive)
        steps = sum(bench.walk(each).steps for each in passes)
        steps += upscaling_steps(work.recipes[0])
        meter = Meter(steps * len(groups), work.preview_every_s)
        yield meter.progress()
        with bench.tiled(pipeline, work.recipes[0]):
            start = start_on_canvas(bench, passes[0], canvas, pipeline)
        for group in groups:
            yield from self._paint_group(bench, meter, group, start)
        self._history.learn(key, thrift.steps_bytes, thrift.frugality)

    def _work_on_pictures(self, work: Work) -> Iterator[EngineEvent]:
        for index, recipe in enumerate(work.recipes):
            if recipe.extras is not None:
                picture = yield from work_on(recipe, recipe.extras, work, self.manager)
                yield ImageReady(index=index, image=picture, facts=self._facts)

    def _paint_group(
        self, bench: Bench, meter: Meter, group: Group, start: Start
    ) -> Iterator[EngineEvent]:
        """One pass after the other, then the pictures."""
        first, *later = passes_of(group.recipes[0], bench.work)
        last = first
        latents = yield from walk_pass(bench, meter, group, first, start)
        for second in later:
            source = yield from enlarged(bench, meter, last, second, latents)
            larger = Start(canvas=Canvas(), source=source)
            latents = yield from walk_pass(bench, meter, group, second, larger)
            last = second
        self._check_numbers(bench.work, latents)
        pipeline = bench.pipeline(last.model)
        for index, latent in zip(group.indexes, latents, strict=True):
            with bench.tiled(pipeline, last.recipe):
                picture = decoded(bench, pipeline, latent)
            facts = {**self._facts, **_notes(pipeline, bench)}
            yield ImageReady(index=index, image=start.canvas.finish(picture), facts=facts)

    def _check_numbers(self, work: Work, latents: Tensor) -> None:
        """Broken weights, and good ones in a precision too small for them, would give black."""
        if not bool(torch.isfinite(latents).all()):
            raise ModelUnreadable(
                work.model.name,
                f"in {self._facts['precision']} it gives values that are no numbers. "
                "Download it again, or look for another version.",
            )

    def _groups(self, work: Work, is_adaptive: bool) -> list[Group]:
        """Which pictures go through the network together: neighbours with the same prompts.

        On the CPU each alone: it comes sooner, and it is to the last bit what it would be without
        the others, since matrix kernels round differently by the number of rows. Alone as well
        where a sampler chooses its steps by what it sees.
        """
        numbered = list(enumerate(work.recipes))
        if self.device.is_cpu or work.is_exact or is_adaptive:
            return [Group(indexes=[index], recipes=[recipe]) for index, recipe in numbered]
        groups = []
        for _, same in groupby(numbered, key=lambda each: _words(each[1])):
            indexes, recipes = zip(*same, strict=True)
            groups.append(Group(indexes=indexes, recipes=recipes))
        return groups


def _words(recipe: Recipe) -> tuple[str, str]:
    return recipe.prompt, recipe.negative_prompt


def _notes(pipeline: Pipeline, bench: Bench) -> Mapping[str, str]:
    """What of the applied networks was not used, what the model is, what memory was short for,
    and what made it quicker or more exact than its plain way."""
    notes = {
        "networks": " ".join(pipeline.patcher.notes),
        "model": " ".join(pipeline.components.notes),
        "memory": "; ".join(bench.thrift.words()),
        "speed": "; ".join(pipeline.runner.notes),
        "vae": note_of(pipeline.components.vae, bench.device.placement.dtype),
    }
    return {name: words for name, words in notes.items() if words}


def _explain(error: Exception, device: Device, work: Work) -> EngineError | None:
    """What a failure of the device means; None if it is not one."""
    text, recipe = str(error), passes_of(work.recipes[0], work)[-1].recipe
    if is_out_of_memory(error):
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
