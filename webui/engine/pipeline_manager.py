"""The models in memory: the one in use, those it works with, one set of weights for all modes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import isinf
from pathlib import Path
from typing import Any, Final

import torch

from webui.core.errors import ModelUnreadable
from webui.core.model import ModelInfo
from webui.engine.architectures import load_architectures
from webui.engine.attention import Attention
from webui.engine.caching.choice import Caches
from webui.engine.collector import collector_at_rest
from webui.engine.conditioning import PromptEncoder
from webui.engine.fp8.conversion import InFp8
from webui.engine.gated_layers import halve_gates
from webui.engine.graphs.choice import make_recorder, make_runner
from webui.engine.graphs.compiler import Compiler
from webui.engine.graphs.graph_runner import GraphRunner
from webui.engine.graphs.replayed_encoder import AllLayers, ReplayedEncoder, is_replayable
from webui.engine.group_norm import widen_norms
from webui.engine.memory.residence import Residence
from webui.engine.memory.shortage import free_memory
from webui.engine.patcher import Patcher
from webui.engine.pipeline import Pipeline
from webui.engine.preview import SmallDecoder
from webui.engine.upscaler_file import UpscalerModel, load_upscaler
from webui.engine.weights.part import PartWeights
from webui.engine.weights.store import WeightStore
from webui.families import Families
from webui.families.components import NO_PARTS, Components, Placement
from webui.families.tiny_decoder import load_tiny_decoder
from webui.families.vae_file import load_vae

log = logging.getLogger(__name__)

Stamp = tuple[tuple[str, int, int], ...]

KEPT_UPSCALERS: Final = 2
"""As many as one job of extras may use; one has some 100 MB at most."""
VAE: Final = "vae"
"""The id of the part that a model without VAE lacks."""
WORKING_BYTES: Final = 3 * 2**30
"""What a GPU must have left beside two models, so that the pictures have room too."""


@dataclass(kw_only=True)
class _Held:
    """A model in memory, and what it is with another VAE."""

    stamp: Stamp
    family: str
    parts: Mapping[str, Path]
    pipeline: Pipeline
    vae_stamp: Stamp | None = None
    with_vae: Pipeline | None = None

    @property
    def modules(self) -> tuple[Any, ...]:
        """All that has weights."""
        other = () if self.with_vae is None else (self.with_vae.components.vae,)
        return (*self.pipeline.modules, *other)


class PipelineManager:
    """Loads models on demand. Usable from any thread."""

    def __init__(
        self,
        families: Families,
        placement: Placement,
        available: Callable[[WeightStore], float] | None = None,
        compiler: Compiler | None = None,
        attention: Attention = Attention(),  # noqa: B008 - it is frozen
        *,
        is_fp8: bool = False,
    ) -> None:
        """`available`: how much more memory may be taken; by default the device says so.
        `compiler`: of networks that are used often. `attention`: the kind that networks use.
        `is_fp8`: whether networks multiply in 8 bits."""
        self.families = families
        self._placement: Final = placement
        self._architectures: Final = load_architectures()
        self._recorder: Final = make_recorder(placement.device)
        self._compiler: Final = compiler
        self._attention: Final = attention
        self._store: Final = WeightStore(placement.device)
        ask = None if available is None else partial(available, self._store)
        self._residence: Final = Residence(self._store, ask)
        defer = InFp8(self._store.defer) if is_fp8 else self._store.defer
        self._deferred: Final = replace(placement, defer=defer, reuse=self._store.reuse)
        self._lock: Final = threading.Lock()
        self._held: Final[dict[Path, _Held]] = {}
        self._decoder: tuple[Stamp, SmallDecoder | None] | None = None
        self._upscalers: Final[dict[Stamp, UpscalerModel]] = {}

    @property
    def device(self) -> torch.device:
        """Where the models work."""
        return self._placement.device

    def is_loaded(self, model: ModelInfo, vae: ModelInfo | None = None) -> bool:
        """Whether `get` would answer at once. False when a file was replaced since."""
        held = self._held.get(model.path)
        if held is None or held.stamp != _stamp(model):
            return False
        return vae is None or held.parts.get(VAE) == vae.path or held.vae_stamp == _stamp(vae)

    def get(
        self,
        model: ModelInfo,
        vae: ModelInfo | None = None,
        beside: Sequence[ModelInfo] = (),
        parts: Mapping[str, Path] = NO_PARTS,
    ) -> Pipeline:
        """The model on the device, with another VAE in place of its own if there is one. `parts`
        are files with what it lacks (see families.LoadableFamily.load); of a model without a VAE
        the one given is its own.

        All other models are forgotten first, but for those `beside`. Its weights are there at once
        where there is room for all of them; else they come part by part, with `bring`. Raises
        ModelUnreadable.
        """
        with self._lock:
            former = self._keep({model.path, *(each.path for each in beside)})
            lacking = _lacking(model, vae, parts)
            try:
                if not self._is_complete(model, lacking):
                    former += self._drop(model.path)
                    loaded = self._exchanged(model, lacking, former)
                    self._held[model.path] = _Held(
                        stamp=_stamp(model), family=model.family, parts=lacking, pipeline=loaded
                    )
            finally:
                self._store.vacate()
            held = self._held[model.path]
            pipeline = held.pipeline
            if vae is not None and held.parts.get(VAE) != vae.path:
                pipeline = self._with_vae(held, vae)
            self._bring_all(pipeline)
            return pipeline

    def foresee(self, model: ModelInfo) -> None:
        """Build what a model is made of, without any weights, and leave it to the next `get` of
        one like it. Nothing happens where one of its family is in memory. Raises
        ModelUnreadable."""
        family = self.families.get(model.family)
        bare = replace(self._placement, defer=self._store.defer, reuse=self._store.reuse)
        with self._lock, collector_at_rest():
            if family is None or any(held.family == family.id for held in self._held.values()):
                return
            parts = family.load(model.path, bare)
            self._quicken(parts)
            for module in (*parts.text_encoders.values(), parts.vae, parts.diffusion_model):
                self._store.retire(module)

    def reserve(self) -> Iterator[None]:
        """Take the device's memory for what was foreseen, part by part, if there is room. Where
        that is the computer's own nothing is won by it. Raises torch.OutOfMemoryError."""
        if not isinf(self.available_bytes):
            yield from self._store.reserving(self.available_bytes - WORKING_BYTES)

    def held(self, model: ModelInfo, vae: ModelInfo | None = None) -> Pipeline:
        """A model in memory, wherever it is now. Raises KeyError when it is not."""
        held = self._held[model.path]
        return held.pipeline if vae is None or held.with_vae is None else held.with_vae

    def preview_decoder(self, model: ModelInfo) -> SmallDecoder | None:
        """The small decoder in a file; the last one is kept. None for one that can't be read: no
        picture shall fail by its preview. Raises ModelUnreadable when the file is gone."""
        stamp = _stamp(model)
        if self._decoder is None or self._decoder[0] != stamp:
            self._decoder = stamp, None  # what can't be read is not tried at each preview
            try:
                loaded = load_tiny_decoder(model.path, self._placement)
                self._decoder = stamp, SmallDecoder(loaded)
            except ModelUnreadable as error:
                log.warning("%s", error)
        return self._decoder[1]

    def upscaler(self, model: ModelInfo) -> UpscalerModel:
        """The upscaler in a file; the last ones are kept. Raises ModelUnreadable."""
        stamp = _stamp(model)
        found = self._upscalers.pop(stamp, None) or load_upscaler(model, self._placement)
        while len(self._upscalers) >= KEPT_UPSCALERS:
            del self._upscalers[next(iter(self._upscalers))]
        self._upscalers[stamp] = found
        return found

    def bring(self, pipeline: Pipeline, modules: Sequence[Any], working_bytes: int = 0) -> None:
        """See that these modules of a pipeline can work, with so much room beside them. Raises
        ModelUnreadable, torch.OutOfMemoryError."""
        wanted = [self._store.of(module) for module in modules]
        seconds = pipeline.seconds_per_call
        before = self._generations()
        self._residence.bring(wanted, self._others(wanted, pipeline), working_bytes, seconds)
        self._forget_moved(before)

    @property
    def available_bytes(self) -> float:
        """What may still be taken of the device's memory; infinite on a CPU."""
        return self._residence.available_bytes

    def weights_of(self, module: Any) -> PartWeights:
        """Of a pipeline's module."""
        return self._store.of(module)

    @property
    def weights_bytes(self) -> int:
        """What the models take of the device now."""
        parts = (self._store.of(m) for held in self._held.values() for m in held.modules)
        return sum(part.device_bytes for part in parts)

    def give_back(self) -> None:
        """Free what is kept for later only: recorded graphs, unused memory."""
        self._forget_graphs()
        self._residence.give_back(self._others((), None))
        self._store.vacate()
        free_memory()
        self._residence.restore()

    def stream_more(self) -> bool:
        """Send parts away that do not work now, then more and more of those that do."""
        found = self._residence.take_less(self._others((), None))
        self.give_back()
        return found

    def release(self) -> None:
        """Free all models."""
        with self._lock:
            self._decoder = None
            self._upscalers.clear()
            self._keep(set())
            self._store.release()
            free_memory()

    def _exchanged(
        self, model: ModelInfo, parts: Mapping[str, Path], former: Sequence[Pipeline]
    ) -> Pipeline:
        """A model in the place of those that are forgotten. A network that it takes over goes on
        being replayed: its weights are overwritten where they lie."""
        with collector_at_rest():
            try:
                return self._load(model, parts, former)
            except BaseException:
                self._store.vacate(has_failed=True)
                raise

    def _load(
        self, model: ModelInfo, parts: Mapping[str, Path], former: Sequence[Pipeline]
    ) -> Pipeline:
        started = time.monotonic()
        family = self.families.get(model.family)
        if family is None:
            raise ModelUnreadable(
                model.name, f"its family “{model.family}” is unknown here. Refresh the models."
            )
        components = family.load(model.path, self._deferred, parts)
        log.info("Loaded %s in %.1f s.", model.name, time.monotonic() - started)
        self._quicken(components)
        network = components.diffusion_model
        same = [each for each in former if each.components.diffusion_model is network]
        if not same:
            self._attention.prepare(network)
        architecture = self._architectures[components.architecture]
        readers = self._readers(components, former)
        spoken_to = replace(components, text_encoders={**components.text_encoders, **readers})
        return Pipeline(
            components=components,
            architecture=architecture,
            encoder=PromptEncoder(architecture.make_encoder(spoken_to)),
            patcher=Patcher(components),
            runner=same[0].runner if same else make_runner(network, self._recorder, self._compiler),
            caches=same[0].caches if same else Caches(network),
            readers=tuple(readers.values()),
            seconds_per_call=same[0].seconds_per_call if same else 0.0,
        )

    def _quicken(self, components: Components) -> None:
        """Have a GPU do in other ways what it does slowly in the library's."""
        if self.device.type != "cuda":
            return
        for module in (components.vae, components.diffusion_model):
            widen_norms(module)
        halve_gates(components.diffusion_model)

    def _readers(
        self, components: Components, former: Sequence[Pipeline]
    ) -> dict[str, ReplayedEncoder]:
        """What stands in for the text encoders that can be replayed here."""
        recorder, encoders = self._recorder, components.text_encoders
        if recorder is None:
            return {}
        known = {reader.encoder: reader for each in former for reader in each.readers}
        return {
            name: known.get(encoder)
            or ReplayedEncoder(encoder, GraphRunner(AllLayers(encoder), recorder))
            for name, encoder in encoders.items()
            if is_replayable(encoder)
        }

    def _is_complete(self, model: ModelInfo, lacking: Mapping[str, Path]) -> bool:
        """Whether a model is in memory with the files that it needs beside its own; another VAE
        than the one it came with is exchanged, not a reason to load all anew."""
        if not self.is_loaded(model):
            return False
        had = self._held[model.path].parts
        return all(had.get(part) == path for part, path in lacking.items() if part != VAE)

    def _with_vae(self, held: _Held, vae: ModelInfo) -> Pipeline:
        stamp = _stamp(vae)
        if held.with_vae is None or held.vae_stamp != stamp:
            held.with_vae = held.vae_stamp = None
            own = held.pipeline.components
            components = replace(own, vae=load_vae(vae.path, own.vae.config, self._deferred))
            self._quicken(components)
            held.with_vae, held.vae_stamp = replace(held.pipeline, components=components), stamp
        return held.with_vae

    def _keep(self, paths: set[Path]) -> list[Pipeline]:
        superfluous = self._held.keys() - paths
        return [each for path in superfluous for each in self._drop(path)]

    def _drop(self, path: Path) -> list[Pipeline]:
        """Forget a model, if it is there; what it is built of serves the next one."""
        held = self._held.pop(path, None)
        if held is None:
            return []
        for module in held.modules:
            self._store.retire(module)
        return [held.pipeline]

    def _bring_all(self, pipeline: Pipeline) -> None:
        """All of a pipeline where there is room, as on a CPU; there nothing comes later."""
        parts = [self._store.of(module) for module in pipeline.modules]
        missing = sum(part.total_bytes - part.device_bytes for part in parts)
        if missing + WORKING_BYTES > self._residence.available_bytes:
            return
        try:
            self.bring(pipeline, pipeline.modules)
        except torch.OutOfMemoryError:  # it is there, but in too many pieces
            free_memory()

    def _others(
        self, wanted: Sequence[PartWeights], pipeline: Pipeline | None
    ) -> list[PartWeights]:
        """The parts in memory beside the wanted ones: other models' first, then this one's."""
        own = () if pipeline is None else pipeline.modules
        rest = [module for held in self._held.values() for module in held.modules]
        parts = [self._store.of(module) for module in (*rest, *own)]
        mine = {id(self._store.of(module)) for module in own} | {id(part) for part in wanted}
        first = [part for part in parts if id(part) not in mine]
        chosen = {id(part) for part in wanted}
        last = [part for part in map(self._store.of, own) if id(part) not in chosen]
        return [*first, *last]

    def _generations(self) -> dict[Path, int]:
        """Of each network's place in memory."""
        return {
            path: self._store.of(held.pipeline.components.diffusion_model).generation
            for path, held in self._held.items()
        }

    def _forget_moved(self, before: Mapping[Path, int]) -> None:
        """Recordings of networks that are elsewhere now, or nowhere."""
        for path, generation in self._generations().items():
            if before.get(path) != generation:
                self._held[path].pipeline.runner.forget()

    def _forget_graphs(self) -> None:
        for held in self._held.values():
            held.pipeline.runner.forget()
            for reader in held.pipeline.readers:
                reader.forget()


def _lacking(
    model: ModelInfo, vae: ModelInfo | None, parts: Mapping[str, Path]
) -> Mapping[str, Path]:
    """Of the files at hand, those that a model needs."""
    brought = parts if vae is None else {**parts, VAE: vae.path}
    return {part: path for part, path in brought.items() if part in model.missing}


def _stamp(model: ModelInfo) -> Stamp:
    """Changes when a weight file is replaced. Raises ModelUnreadable when there is none."""
    path = model.path
    files = [path] if path.is_file() else sorted(path.rglob("*.safetensors"))
    if not files:
        raise ModelUnreadable(model.name, "it is no longer there. Refresh the list of models.")
    stats = [(file, file.stat()) for file in files]
    return tuple((str(file), stat.st_mtime_ns, stat.st_size) for file, stat in stats)
