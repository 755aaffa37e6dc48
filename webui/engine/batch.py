"""One batch on the device: where its latents start and how they are denoised."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from webui.core.recipe import Recipe
from webui.core.request import SamplerParameters
from webui.engine.autoencoder import encode, scale_of
from webui.engine.canvas import Canvas
from webui.engine.conditioning import Conditioning
from webui.engine.denoise import Denoiser, blend, keep_outside
from webui.engine.noise import PictureNoise
from webui.engine.pipeline_manager import Pipeline
from webui.imaging.masks import latent_mask
from webui.samplers.sampler import Denoise, Run, Sampler, Step
from webui.schedules.schedule import Sigmas

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

WHOLE_STRENGTH: Final = 0.999
"""The denoising strength that stands for all steps but one in A1111's count."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What the pictures of a batch share. Tensors are float32 and lie on the device."""

    sampler: Sampler
    sigmas: Sigmas
    parameters: SamplerParameters
    denoise: Denoise
    shape: tuple[int, int, int]
    """Of one picture's latent."""
    device: torch.device
    source: Tensor | None = None
    """(1, 4, h, w): the encoded source; None for txt2img."""
    mask: Tensor | None = None
    """(1, 1, h, w), 1 where to paint; None without a mask."""

    @property
    def step_count(self) -> int:
        """How often each picture is denoised."""
        return len(self.sigmas) - 1

    def noise(self, seeds: Sequence[int]) -> PictureNoise:
        """The noise of pictures with these seeds."""
        return PictureNoise(seeds, self.shape, self.device)

    def start(self, noise: PictureNoise) -> Tensor:
        """The latents to begin with, (B, 4, h, w): the noise, and the source in it."""
        if self.source is not None:
            return self.source + noise() * self.sigmas[0]
        if self.sampler.is_variance_preserving:
            return noise() * math.sqrt(1 + self.sigmas[0] ** 2)
        return noise() * self.sigmas[0]

    def steps(self, x: Tensor, noise: PictureNoise) -> Iterator[Step]:
        """Denoises, step by step."""
        run = Run(sigmas=self.sigmas, noise=noise, parameters=self.parameters)
        return self.sampler.sample(self.denoise, x, run)

    def settle(self, latents: Tensor) -> Tensor:
        """The finished latents: what lies outside the mask is the source's again."""
        if self.sampler.is_variance_preserving:
            latents = latents / math.sqrt(1 + self.sigmas[-1] ** 2)
        if self.source is None or self.mask is None:
            return latents
        return blend(self.source, latents, self.mask)


def make_batch(
    recipe: Recipe, canvas: Canvas, pipeline: Pipeline, sampler: Sampler, sigmas: Sigmas
) -> Batch:
    """The batch that paints a recipe on a canvas. Raises InvalidRequest."""
    vae = pipeline.components.vae
    scale = scale_of(vae)
    shape = (int(vae.config.latent_channels), recipe.height // scale, recipe.width // scale)
    source = mask = None
    calls = (len(sigmas) - 1) * sampler.calls_per_step
    scale_of_guidance = recipe.guidance_scale * sampler.guidance_factor
    denoise: Denoise = _denoiser(recipe, pipeline, scale_of_guidance, calls)
    if canvas.source is not None and recipe.source is not None:
        source = _encode(vae, canvas.source, shape)
        sigmas = last_sigmas(sigmas, recipe.source.denoising_strength)
        if canvas.mask is not None:
            mask = torch.from_numpy(latent_mask(canvas.mask, shape[2], shape[1]))
            mask = mask[None, None].to(source)
            denoise = keep_outside(denoise, source, mask)
    return Batch(
        sampler=sampler,
        sigmas=sigmas,
        parameters=recipe.parameters,
        denoise=denoise,
        shape=shape,
        device=vae.device,
        source=source,
        mask=mask,
    )


def last_sigmas(sigmas: Sigmas, strength: float) -> Sigmas:
    """The noise levels that a denoising strength leaves, as A1111 counts: of 20 steps 0.75 runs 16
    and 1.0 all 20. At 0 nothing is denoised."""
    if strength == 0:
        return sigmas[-1:]
    steps = len(sigmas) - 1
    return sigmas[steps - int(min(strength, WHOLE_STRENGTH) * steps) - 1 :]


def _denoiser(
    recipe: Recipe, pipeline: Pipeline, guidance_scale: float, calls_total: int
) -> Denoiser:
    conditioning = pipeline.encoder.condition(
        recipe.prompt,
        recipe.negative_prompt,
        recipe.clip_skip,
        is_guided=recipe.guidance_scale > 1,
    )
    return Denoiser(
        pipeline.components,
        pipeline.levels,
        _Constant(conditioning),
        recipe.guidance,
        guidance_scale,
        calls_total=calls_total,
        is_exact=False,
    )


@dataclass(frozen=True)
class _Constant:
    """The plan of a prompt that says the same at each call."""

    conditioning: Conditioning

    def at(self, call: int) -> Conditioning:
        return self.conditioning


def _encode(vae: AutoencoderKL, picture: Image.Image, shape: tuple[int, int, int]) -> Tensor:
    """The source's latent, resized where the picture still has its own size."""
    latent = encode(vae, picture)
    if latent.shape[-2:] == shape[-2:]:
        return latent
    return interpolate(latent, size=shape[-2:], mode="bilinear")
