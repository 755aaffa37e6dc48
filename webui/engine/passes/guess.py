"""The denoiser of a pass: its prompts, its model's network, and the model that takes over."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from webui.core.model import ModelInfo
from webui.engine.canvas import Canvas
from webui.engine.conditioning import Conditioning
from webui.engine.denoise import Denoiser
from webui.engine.inpaint import extra_channels
from webui.engine.passes.bench import Bench
from webui.engine.passes.plan import Pass
from webui.engine.pipeline_manager import Pipeline
from webui.engine.refiner import Relay
from webui.samplers.sampler import Denoise


def make_denoise(bench: Bench, this: Pass, canvas: Canvas, calls: int) -> Denoise:
    """The guesses that a pass walks by, for a group of pictures with the same prompts.

    `calls`: how often the sampler will ask. Raises InvalidRequest.
    """
    first = _denoiser(bench, this, this.model, canvas, calls)
    refiner, plan = this.refiner, this.recipe.refiner
    if refiner is None or plan is None or refiner.path == this.model.path:
        return first

    def second(calls_before: int) -> Denoise:
        return _denoiser(bench, this, refiner, canvas, calls, calls_before)

    levels = bench.pipeline(this.model).levels
    return Relay(first, levels, plan.switch_at, second)


def _denoiser(
    bench: Bench, this: Pass, model: ModelInfo, canvas: Canvas, calls: int, first_call: int = 0
) -> Denoise:
    pipeline, recipe = bench.pipeline(model), this.recipe
    return Denoiser(
        pipeline.components,
        pipeline.levels,
        _plan(bench, this, pipeline),
        recipe.guidance,
        recipe.guidance_scale * bench.sampler(this).guidance_factor,
        calls_total=calls,
        is_exact=bench.work.is_exact and not bench.device.is_cpu,
        extra_channels=_extra_channels(pipeline, canvas, this),
        first_call=first_call,
    )


def _extra_channels(pipeline: Pipeline, canvas: Canvas, this: Pass) -> Tensor | None:
    channels = int(pipeline.components.unet.config.in_channels)
    return extra_channels(channels, pipeline.components.vae, canvas, this.recipe)


def _plan(bench: Bench, this: Pass, pipeline: Pipeline) -> _Constant:
    recipe = this.recipe
    return _Constant(
        pipeline.encoder.condition(
            recipe.prompt,
            recipe.negative_prompt,
            recipe.clip_skip,
            is_guided=recipe.guidance_scale > 1,
        )
    )


@dataclass(frozen=True)
class _Constant:
    """The plan of a prompt that says the same at each call."""

    conditioning: Conditioning

    def at(self, call: int) -> Conditioning:
        return self.conditioning
