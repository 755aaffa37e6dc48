"""What the passes of one batch share: the models, the tables, the work, the count of steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from torch import Tensor

from webui.core.engine import Work
from webui.core.events import EngineEvent, Loading, Preview
from webui.core.model import ModelInfo, ModelKind
from webui.core.recipe import Recipe
from webui.engine.architectures.text import Vectors
from webui.engine.device import Device
from webui.engine.extensions.calls import Calls
from webui.engine.extensions.registered import Tables
from webui.engine.memory.need import steps_bytes
from webui.engine.memory.thrift import Thrift
from webui.engine.passes.levels import Walk, pass_sampler, pass_walk
from webui.engine.passes.plan import Pass, models_of
from webui.engine.pipeline import Pipeline
from webui.engine.pipeline_manager import PipelineManager
from webui.engine.preview import Previewer, SmallDecoder
from webui.engine.tiling import tiled
from webui.networks.embedding import read_embedding
from webui.samplers.sampler import Sampler, Samplers
from webui.schedules.schedule import Schedules
from webui.upscalers import Upscalers

SMALLEST_DECODE: Final = 900 * 2**20
"""What a network leaves free for the VAE after it, at least: strips of 1024 x 1024."""
WORDS_BYTES: Final = 128 * 2**20
"""What text encoders take beside their weights."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Pictures that go through the network together: all but their seeds is the same."""

    indexes: Sequence[int]
    recipes: Sequence[Recipe]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The tools of a batch. `models` are all checkpoints that it needs, `vae` replaces theirs."""

    device: Device
    manager: PipelineManager
    samplers: Samplers
    schedules: Schedules
    upscalers: Upscalers
    work: Work
    models: Sequence[ModelInfo]
    thrift: Thrift
    calls: Calls
    vae: ModelInfo | None = None
    peak_bytes: int = 0
    """What such batches have taken before, beside the weights."""
    embeddings: Mapping[str, Vectors] = field(default_factory=dict)

    def load(self) -> Iterator[EngineEvent]:
        """Brings all models into memory, the first pass's last, so that it is ready."""
        for model in reversed(self.models):
            if not self.manager.is_loaded(model, self.vae):
                yield Loading(model=model.name)
            self.pipeline(model)

    def pipeline(self, model: ModelInfo) -> Pipeline:
        """One of the models, on the device. Raises ModelUnreadable."""
        return self.manager.get(model, self.vae, beside=self.models, parts=self._parts)

    @property
    def _parts(self) -> Mapping[str, Path]:
        """The files that bring what a checkpoint lacks, by the ids of the parts."""
        files = self.work.files
        return {used.ref: used.model.path for used in files if used.kind is ModelKind.TEXT_ENCODER}

    def bring_network(self, this: Pass, model: ModelInfo) -> None:
        """See that a model's network can work on a pass, and that a VAE will have room after it."""
        pipeline, recipe = self.manager.held(model, self.vae), this.recipe
        rows = len(self.work.recipes) * (2 if recipe.guidance_scale > 1 else 1)
        rows = min(rows, self.thrift.frugality.rows or rows)
        is_unet = hasattr(pipeline.components.diffusion_model.config, "cross_attention_dim")
        steps = steps_bytes(recipe.width, recipe.height, rows, is_unet=is_unet)
        working = max(steps, self.peak_bytes, SMALLEST_DECODE)
        network = pipeline.components.diffusion_model
        self.thrift.whole(lambda: self.manager.bring(pipeline, [network], working))

    def bring_words(self, pipeline: Pipeline) -> None:
        """See that a model's text encoders can work."""
        encoders = list(pipeline.components.text_encoders.values())
        self.thrift.whole(lambda: self.manager.bring(pipeline, encoders, WORDS_BYTES))

    def sampler(self, this: Pass) -> Sampler:
        """The sampler of a pass. Raises InvalidRequest."""
        return pass_sampler(this, self.samplers, self.schedules)

    def walk(self, this: Pass) -> Walk:
        """The noise levels of a pass. Raises InvalidRequest."""
        levels = self.manager.held(this.model, self.vae).levels(this.recipe)
        return pass_walk(this, self.sampler(this), self.schedules, levels)

    @contextmanager
    def walking(self, this: Pass) -> Iterator[None]:
        """While it is entered, the networks of a pass are as its recipe wants them."""
        with ExitStack() as stack:
            for model in (this.model, this.refiner):
                if model is not None:
                    pipeline = self.manager.held(model, self.vae)
                    stack.enter_context(self.tiled(pipeline, this.recipe))
            yield

    def tiled(self, pipeline: Pipeline, recipe: Recipe) -> AbstractContextManager[None]:
        """While it is entered, a model's networks join opposite edges as the recipe says."""
        return tiled(pipeline.components.diffusion_model, pipeline.components.vae, recipe.tiling)

    def previews(self, pipeline: Pipeline, group: Group, latents: Tensor) -> Iterator[Preview]:
        """A look at each picture of a group."""
        previewer = self._small_decoder(latents.shape[1]) or self._previewer(pipeline)
        for index, latent in zip(group.indexes, latents, strict=True):
            yield Preview(index=index, jpeg=previewer.jpeg(latent))

    def _previewer(self, pipeline: Pipeline) -> Previewer:
        """The model's own, which its VAE teaches at the first preview."""
        if not pipeline.has_previewer:
            network, vae = pipeline.components.diffusion_model, pipeline.components.vae
            self.thrift.whole(lambda: self.manager.bring(pipeline, [network, vae], WORDS_BYTES))
        return pipeline.previewer

    def _small_decoder(self, channels: int) -> SmallDecoder | None:
        """The work's, if it has one that knows latents of so many channels."""
        file = next((used for used in self.work.files if used.kind is ModelKind.PREVIEW), None)
        decoder = None if file is None else self.manager.preview_decoder(file.model)
        return decoder if decoder is not None and decoder.channels == channels else None


def make_bench(
    device: Device,
    manager: PipelineManager,
    tables: Tables,
    work: Work,
    passes: tuple[Pass, ...],
    thrift: Thrift,
    calls: Calls,
    peak_bytes: int = 0,
) -> Bench:
    """The tools of a batch whose pictures take these passes. Raises InvalidRequest for names that
    nothing has, before anything is loaded."""
    for each in passes:
        pass_sampler(each, tables.samplers, tables.schedules)
    vae = work.recipes[0].vae
    return Bench(
        device=device,
        manager=manager,
        samplers=tables.samplers,
        schedules=tables.schedules,
        upscalers=tables.upscalers,
        work=work,
        models=models_of(passes),
        thrift=thrift,
        calls=calls,
        peak_bytes=peak_bytes,
        vae=None if vae is None else work.file(ModelKind.VAE, vae, "vae"),
        embeddings=_embeddings(work),
    )


def _embeddings(work: Work) -> Mapping[str, Vectors]:
    """The vectors of the embeddings that a batch's prompts name. Raises ModelUnreadable."""
    files = [used for used in work.files if used.kind is ModelKind.EMBEDDING]
    return {used.ref: read_embedding(used.model.path) for used in files}
