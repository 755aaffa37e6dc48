"""Where a pass starts: the latents of what is there, and the noise laid over them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor
from torch.nn.functional import interpolate

from webui.engine.canvas import Canvas
from webui.engine.inpaint import begin, mask_latent
from webui.engine.latent_format import channels_of, scale_of
from webui.engine.noise import Shape
from webui.engine.passes.bench import Bench
from webui.engine.passes.pixels import encoded
from webui.engine.passes.plan import Pass
from webui.engine.pipeline import Pipeline
from webui.samplers.sampler import Sampler


class FirstNoise(Protocol):
    """What the pictures of a pass begin with."""

    def first(self) -> Tensor:
        """Noise of spread 1, (B, C, h, w)."""
        ...


@dataclass(frozen=True, kw_only=True)
class Start:
    """Float32 tensors on the device: of a source (1 or B, 4, h, w), of a mask (1, 1, h, w)."""

    canvas: Canvas
    source: Tensor | None = None
    """None: there is nothing but noise."""
    mask: Tensor | None = None
    """1 where to paint; None without a mask."""


def start_on_canvas(bench: Bench, this: Pass, canvas: Canvas, pipeline: Pipeline) -> Start:
    """The start of a first pass."""
    if canvas.source is None or this.denoising_strength is None:
        return Start(canvas=canvas)
    source = encoded(bench, pipeline, canvas.source)
    _, height, width = latent_shape(this, pipeline)
    if source.shape[-2:] != (height, width):
        source = interpolate(source, size=(height, width), mode="bilinear")
    return Start(canvas=canvas, source=source, mask=mask_latent(canvas, this.recipe, source))


def latent_shape(this: Pass, pipeline: Pipeline) -> Shape:
    """Of one picture of a pass."""
    vae, recipe = pipeline.components.vae, this.recipe
    scale = scale_of(vae)
    return channels_of(vae), recipe.height // scale, recipe.width // scale


def first_latents(
    this: Pass, start: Start, noise: FirstNoise, sampler: Sampler, sigma: float
) -> Tensor:
    """What a pass begins with, (B, 4, h, w): the noise at its first level, and the source in it."""
    drawn, recipe = noise.first(), this.recipe
    if start.source is None:
        is_wide = sampler.is_variance_preserving or recipe.parameters.sgm_noise
        return drawn * (math.sqrt(1 + sigma**2) if is_wide else sigma)
    clean = begin(start.canvas, recipe, start.source, start.mask, drawn)
    source = recipe.source
    if source is None:
        return clean + drawn * sigma
    noisy = clean + drawn * (source.noise_multiplier * sigma)
    if source.extra_noise:
        noisy = noisy + drawn * (source.noise_multiplier * source.extra_noise)
    return noisy
