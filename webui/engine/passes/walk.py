"""Walks a pass: from the first latents to finished ones, with progress and previews on the way."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Sequence

from torch import Tensor

from webui.core.events import EngineEvent
from webui.core.recipe import Recipe
from webui.engine.device_memory import forget_peak, peak_bytes
from webui.engine.extensions.latents import HookedNoise, first_batch
from webui.engine.graphs.pace import Pace
from webui.engine.inpaint import masked, settle
from webui.engine.latent_format import scale_of
from webui.engine.noise import PictureNoise
from webui.engine.passes.bench import Bench, Group
from webui.engine.passes.guess import make_denoise
from webui.engine.passes.levels import Walk
from webui.engine.passes.meter import Meter
from webui.engine.passes.plan import Pass
from webui.engine.passes.start import Start, first_latents, latent_shape
from webui.engine.pipeline import Pipeline
from webui.samplers.sampler import Denoise, Run


def walk_pass(
    bench: Bench, meter: Meter, group: Group, this: Pass, start: Start
) -> Generator[EngineEvent, None, Tensor]:
    """The finished latents of a group, (B, 4, h, w). Raises InvalidRequest."""
    pipeline, sampler = bench.pipeline(this.model), bench.sampler(this)
    walk = bench.walk(this)
    noise = _noise(bench, this, group, walk, pipeline)
    x = first_latents(this, start, noise, sampler, walk.sigmas[0])
    x = first_batch(bench.calls, x, group.recipes, walk.sigmas)
    if walk.steps:
        run = Run(
            sigmas=walk.sigmas,
            noise=noise,
            parameters=this.recipe.parameters,
            levels=pipeline.levels(this.recipe),
        )
        pace = Pace(bench.manager.device)
        with bench.walking(this):
            calls = walk.steps * sampler.calls_per_step
            denoise = _denoise(bench, this, start, calls, group.recipes)
            started = time.monotonic()
            forget_peak(bench.manager.device)
            for step in sampler.sample(denoise, x, run):
                x = step.x
                pace.step()
                yield meter.advance(step.index)
                if meter.wants_preview():
                    yield from bench.previews(pipeline, group, step.denoised)
        taken = peak_bytes(bench.manager.device) - bench.manager.weights_bytes
        bench.thrift.steps_bytes = max(bench.thrift.steps_bytes, taken)
        pipeline.seconds_per_call = (time.monotonic() - started) / calls
    meter.end_pass(walk.steps)
    if sampler.is_variance_preserving:
        x = x / math.sqrt(1 + walk.sigmas[-1] ** 2)
    if start.source is None or start.mask is None:
        return x
    return settle(this.recipe, start.source, x, start.mask)


def _noise(
    bench: Bench, this: Pass, group: Group, walk: Walk, pipeline: Pipeline
) -> PictureNoise | HookedNoise:
    """From the same seeds in each pass, as A1111 does."""
    device, scale = bench.manager.device, scale_of(pipeline.components.vae)
    shape = latent_shape(this, pipeline)
    noise = PictureNoise(group.recipes, shape, device, walk.span, scale)
    if not bench.calls.has("noise"):
        return noise
    return HookedNoise(noise, noise.first, bench.calls, group.recipes)


def _denoise(
    bench: Bench, this: Pass, start: Start, calls: int, recipes: Sequence[Recipe]
) -> Denoise:
    denoise = make_denoise(bench, this, start.canvas, calls, recipes)
    if start.source is None or start.mask is None:
        return denoise
    return masked(denoise, this.recipe, start.source, start.mask)
