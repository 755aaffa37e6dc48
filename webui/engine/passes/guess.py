"""The denoiser of a pass: its prompts, its model's network, and the model that takes over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PIL import Image
from torch import Tensor

from webui.core.errors import InvalidRequest
from webui.core.model import ModelInfo
from webui.core.recipe import Recipe
from webui.core.request import Tiling
from webui.engine.architectures.architecture import Frame
from webui.engine.canvas import Canvas
from webui.engine.denoise import Asked, Denoiser
from webui.engine.extensions.steps import StepHooks, step_hooks
from webui.engine.inpaint import extra_channels, image_guidance
from webui.engine.latent_format import channels_of, scale_of
from webui.engine.memory.thrift import Thrift
from webui.engine.passes.bench import Bench
from webui.engine.passes.pixels import encoded, make_room
from webui.engine.passes.plan import Pass
from webui.engine.passes.start import latent_shape
from webui.engine.passes.words import tell
from webui.engine.patcher import Patcher
from webui.engine.pipeline import Pipeline
from webui.engine.refiner import Relay
from webui.samplers.sampler import Denoise

USUAL_CELL: Final = 8
"""Pixels along one side of a latent cell; all sizes are whole numbers of these."""


def make_denoise(
    bench: Bench, this: Pass, canvas: Canvas, calls: int, recipes: Sequence[Recipe]
) -> Denoise:
    """The guesses that a pass walks by, for a group of pictures with the same prompts.

    `calls`: how often the sampler will ask. Raises InvalidRequest and ModelUnreadable.
    """
    hooks = step_hooks(bench.calls, recipes, calls)
    first = _denoiser(bench, this, this.model, canvas, calls, hooks)
    refiner, wanted = this.refiner, this.recipe.refiner
    if refiner is None or wanted is None or refiner.path == this.model.path:
        return first

    def second(calls_before: int) -> Denoise:
        return _denoiser(bench, this, refiner, canvas, calls, hooks, calls_before)

    levels = bench.pipeline(this.model).levels(this.recipe)
    return Relay(first, levels, wanted.switch_at, second)


def _denoiser(
    bench: Bench,
    this: Pass,
    model: ModelInfo,
    canvas: Canvas,
    calls: int,
    hooks: StepHooks | None,
    first_call: int = 0,
) -> Denoise:
    pipeline, recipe = bench.pipeline(model), this.recipe
    pictures = _looked_at(pipeline, canvas, recipe)
    told = tell(bench, this, model, pictures)
    extra = _extra_channels(bench, pipeline, canvas, this)
    references = tuple(encoded(bench, pipeline, each) for each in pictures)
    bench.bring_network(this, model)
    denoiser = Denoiser(
        _asked(pipeline, this, bench.thrift, references),
        told,
        recipe.guidance,
        recipe.guidance_scale * bench.sampler(this).guidance_factor,
        calls_total=calls,
        is_exact=bench.work.is_exact and not bench.device.is_cpu,
        extra_channels=extra,
        image_guidance=image_guidance(_channels(pipeline), canvas, recipe),
        first_call=first_call,
        step_cache=recipe.step_cache,
        hooks=hooks,
    )
    return _Patched(denoiser, pipeline.patcher, calls)


def _asked(pipeline: Pipeline, this: Pass, thrift: Thrift, references: tuple[Tensor, ...]) -> Asked:
    recipe = this.recipe
    _check_size(pipeline, recipe)
    return Asked(
        components=pipeline.components,
        architecture=pipeline.architecture,
        levels=pipeline.levels(recipe),
        frame=Frame(
            width=recipe.width,
            height=recipe.height,
            distilled_guidance=recipe.distilled_guidance,
            references=references,
        ),
        runner=pipeline.runner,
        thrift=thrift,
        is_hooked=recipe.tiling is not Tiling.NONE,
        caches=pipeline.caches,
    )


def _check_size(pipeline: Pipeline, recipe: Recipe) -> None:
    """Whole cells only. Some networks have a table of places, and know none beyond it."""
    config, scale = pipeline.components.diffusion_model.config, scale_of(pipeline.components.vae)
    for field, side in (("width", recipe.width), ("height", recipe.height)):
        if scale > USUAL_CELL and side % scale:
            down = side - side % scale
            raise InvalidRequest(
                field,
                f"{field.capitalize()} {side} is not a multiple of {scale}, as this model needs. "
                f"Try {down or scale} or {down + scale}.",
            )
    if (places := getattr(config, "pos_embed_max_size", None)) is None:
        return
    largest = places * int(config.patch_size) * scale
    for field, side in (("width", recipe.width), ("height", recipe.height)):
        if side > largest:
            raise InvalidRequest(
                field,
                f"{field.capitalize()} {side} is more than this model knows places for. "
                f"Try {largest} or less, and enlarge the picture after that.",
            )


def _looked_at(pipeline: Pipeline, canvas: Canvas, recipe: Recipe) -> tuple[Image.Image, ...]:
    """The pictures that the network looks at."""
    architecture, source = pipeline.architecture, recipe.source
    if canvas.source is None or source is None or not architecture.has_references:
        return ()
    if source.denoising_strength < architecture.looks_from:
        return ()
    return (canvas.source,)


class _Patched:
    """A denoiser whose networks get the weights that they have at each call."""

    def __init__(self, denoiser: Denoiser, patcher: Patcher, calls: int) -> None:
        self._denoiser: Final = denoiser
        self._patcher: Final = patcher
        self._calls: Final = max(1, calls)

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """As Denoise."""
        return self.both(x, sigma)[0]

    def both(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        """As Denoise."""
        self._patcher.at(min(self._denoiser.calls / self._calls, 1.0))
        return self._denoiser.both(x, sigma)


def _extra_channels(bench: Bench, pipeline: Pipeline, canvas: Canvas, this: Pass) -> Tensor | None:
    channels = _channels(pipeline)
    if channels != channels_of(pipeline.components.vae):
        make_room(bench, pipeline, *latent_shape(this, pipeline)[1:])
    return extra_channels(channels, pipeline.components.vae, canvas, this.recipe)


def _channels(pipeline: Pipeline) -> int:
    return int(pipeline.components.diffusion_model.config.in_channels)
