"""From recipes to pictures: the whole way, as one generator of events.

To be run in one thread under torch.inference_mode. Closing the generator ends the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Final

import diffusers
import torch
from torch import Tensor

from webui.core.engine import Work
from webui.core.errors import (
    EngineDied,
    EngineError,
    ExtensionFailed,
    GessoError,
    ModelUnreadable,
    OutOfMemory,
)
from webui.core.events import EngineEvent, ImageReady
from webui.core.recipe import Recipe
from webui.engine.asking import Events
from webui.engine.attention import choose_attention
from webui.engine.autoencoder import note_of
from webui.engine.canvas import Canvas, make_canvas
from webui.engine.device import Device
from webui.engine.extensions.calls import Calls, Participant
from webui.engine.extensions.latents import decoded_by, edited_latents
from webui.engine.extensions.loading import Loader
from webui.engine.extensions.pictures import finished, overlaid
from webui.engine.extensions.registered import Tables, tables_for
from webui.engine.extras import work_on
from webui.engine.graphs.choice import make_compiler
from webui.engine.hires import enlarged, upscaling_steps
from webui.engine.memory.history import History
from webui.engine.memory.shortage import free_memory, is_out_of_memory
from webui.engine.memory.thrift import Thrift
from webui.engine.passes.bench import Bench, Group, make_bench
from webui.engine.passes.meter import Meter
from webui.engine.passes.pixels import decoded
from webui.engine.passes.plan import Pass, batch_key, passes_of
from webui.engine.passes.start import Start, start_on_canvas
from webui.engine.passes.walk import walk_pass
from webui.engine.pipeline import Pipeline
from webui.engine.pipeline_manager import PipelineManager
from webui.engine.safe_files import made_safe
from webui.engine.weights.store import WeightStore
from webui.families import Families
from webui.modelfiles.conversion import Converter
from webui.samplers.sampler import Samplers
from webui.schedules.schedule import Schedules
from webui.upscalers import Upscalers, load_upscalers

HISTORY: Final = "memory.json"
CONVERTED: Final = "converted"
COMPILED: Final = "compiled"
ATTENTION: Final = "attention.json"
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
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """`state`: a folder for what is learnt of this machine. `available`: how much more memory
        may be taken; by default the device says so. `compiles`: in the background, see
        graphs/compiler.py. `is_fp8`: networks multiply in 8 bits, see engine/fp8. `is_cancelled`:
        whether nobody wants the batch any more, for extensions that are long at a step."""
        self.device: Final = device
        self._history: Final = History(None if state is None else state / HISTORY)
        compiled = None if state is None else state / COMPILED
        compiler = make_compiler(device.placement.device, compiled) if compiles else None
        measured = None if state is None else state / ATTENTION
        attention = choose_attention(device.placement.device, device.placement.dtype, measured)
        attention.switch()
        self.manager: Final = PipelineManager(
            families, device.placement, available, compiler, attention, is_fp8=is_fp8
        )
        self._converter: Final = Converter(None if state is None else state / CONVERTED)
        self._tables: Final = Tables(
            samplers=samplers,
            schedules=schedules,
            upscalers=load_upscalers(),
            families=families,
        )
        self._extensions: Final = Loader(is_cancelled)
        versions = {"torch": torch.__version__, "diffusers": diffusers.__version__}
        ways = {} if device.is_cpu else {"attention": attention.kind}
        ways |= {"matrices": "float8_e4m3fn"} if is_fp8 else {}
        self._facts: Final[Mapping[str, str]] = {**device.facts(), **ways, **versions}

    def paint(self, work: Work, others: Iterable[Participant] = ()) -> Events:
        """The events of one batch, as core's Engine.generate gives them, but for Alive. `others`
        have hooks for it beside the extensions of the work.

        Raises InvalidRequest, ModelUnreadable, OutOfMemory, EngineDied; ExtensionFailed when an
        extension ended the job.
        """
        failure: EngineError | None = None
        calls = self._extensions.calls(work, others=others, is_fatal=_is_of_device)
        try:
            safe = yield from made_safe(work, self._converter)
            yield from finished(calls, self._paint(safe, calls))
        except ExtensionFailed:
            yield from calls.told()
            raise
        except GessoError:
            raise
        except (RuntimeError, MemoryError) as error:
            failure = _explain(error, self.device, work)
            if failure is None:
                raise
        if failure is not None:  # only now, without the traceback, is the batch's memory unused
            free_memory()
            raise failure

    def _paint(self, work: Work, calls: Calls) -> Iterator[EngineEvent]:
        """Names are looked up before a model is loaded, so that a wrong one is refused at once."""
        tables = tables_for(work, self._tables, self._extensions, calls, _is_of_device)
        self.manager.families = tables.families
        if work.recipes[0].extras is not None:
            yield from self._work_on_pictures(work, tables.upscalers)
            return
        passes = passes_of(work.recipes[0], work)
        key = batch_key(passes, work)
        known = self._history.of(key)
        thrift, peak = Thrift(self.manager, known.frugality), known.peak_bytes
        bench = make_bench(self.device, self.manager, tables, work, passes, thrift, calls, peak)
        yield from bench.load()
        pipeline = bench.pipeline(work.model)
        canvas = make_canvas(work.recipes[0], work.inputs, partial(overlaid, calls))
        is_adaptive = any(bench.sampler(each).is_adaptive for each in passes)
        groups = self._groups(work, is_adaptive)
        steps = sum(bench.walk(each).steps for each in passes)
        steps += upscaling_steps(work.recipes[0], tables.upscalers)
        meter = Meter(steps * len(groups), work.preview_every_s)
        yield meter.progress()
        with bench.tiled(pipeline, work.recipes[0]):
            start = start_on_canvas(bench, passes[0], canvas, pipeline)
        for group in groups:
            yield from self._paint_group(bench, meter, group, start)
        self._history.learn(key, thrift.steps_bytes, thrift.frugality)

    def _work_on_pictures(self, work: Work, upscalers: Upscalers) -> Iterator[EngineEvent]:
        for index, recipe in enumerate(work.recipes):
            if recipe.extras is not None:
                picture = yield from work_on(recipe, recipe.extras, work, self.manager, upscalers)
                yield ImageReady(index=index, image=picture, facts=self._facts)

    def _paint_group(
        self, bench: Bench, meter: Meter, group: Group, start: Start
    ) -> Iterator[EngineEvent]:
        """One pass after the other, then the pictures."""
        first, *later = passes_of(group.recipes[0], bench.work)
        last = first
        latents = yield from walk_pass(bench, meter, group, first, start)
        calls = bench.calls
        for second in later:
            latents = edited_latents(calls, "hires_before", latents, group.recipes)
            source = yield from enlarged(bench, meter, last, second, latents)
            larger = Start(canvas=Canvas(), source=source)
            latents = yield from walk_pass(bench, meter, group, second, larger)
            last = second
        latents = edited_latents(calls, "latents_final", latents, group.recipes)
        self._check_numbers(bench, latents)
        pipeline = bench.pipeline(last.model)
        for index, recipe, latent in zip(group.indexes, group.recipes, latents, strict=True):
            with bench.tiled(pipeline, last.recipe):
                picture = decoded_by(calls, latent, recipe, _size(last, start))
                picture = picture or decoded(bench, pipeline, latent)
            facts = {**self._facts, **_notes(pipeline, bench)}
            yield ImageReady(index=index, image=start.canvas.finish(picture), facts=facts)

    def _check_numbers(self, bench: Bench, latents: Tensor) -> None:
        """Broken weights, and good ones in a precision too small for them, would give black."""
        if bool(torch.isfinite(latents).all()):
            return
        model, precision = bench.work.model.name, self._facts["precision"]
        if names := ", ".join(bench.calls.names):
            raise ExtensionFailed(
                names,
                f"{model} with {names} gives values that are no numbers. Switch extensions off, "
                "or set them lower.",
            )
        raise ModelUnreadable(
            model,
            f"in {precision} it gives values that are no numbers. "
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


def _size(this: Pass, start: Start) -> tuple[int, int] | None:
    """That a picture of a pass must have to go with a source; None where any will do."""
    return None if start.canvas.source is None else (this.recipe.width, this.recipe.height)


def _is_of_device(error: BaseException) -> bool:
    """Whether an error within an extension's code is none of its own."""
    return is_out_of_memory(error) or any(sign in str(error) for sign in DEVICE_LOST)


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
