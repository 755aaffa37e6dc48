"""Inpainting in latents: what lies under the mask at the start, what is kept at every step, what
is put back at the end, and what checkpoints made for inpainting are shown besides.

Latents are float32, (B, 4, h, w), a source's (1, 4, h, w); masks (1, 1, h, w), 1 where to paint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from webui.core.recipe import Recipe
from webui.engine.canvas import Canvas
from webui.imaging.masks import latent_mask
from webui.samplers.sampler import Denoise

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL


def mask_latent(canvas: Canvas, recipe: Recipe, source_latent: Tensor) -> Tensor | None:
    """Which cells are painted; None where all are. On the source's device."""
    if canvas.mask is None:
        return None
    height, width = source_latent.shape[-2:]
    return torch.from_numpy(latent_mask(canvas.mask, width, height))[None, None].to(source_latent)


def begin(
    canvas: Canvas, recipe: Recipe, source_latent: Tensor, mask: Tensor | None, noise: Tensor
) -> Tensor:
    """The latents that the first noise is laid over. `noise` is that noise, of spread 1."""
    return source_latent


def masked(denoise: Denoise, recipe: Recipe, source_latent: Tensor, mask: Tensor) -> Denoise:
    """A denoiser that leaves the source where nothing is painted, at every step."""

    def blended(x: Tensor, sigma: float) -> Tensor:
        return _blend(source_latent, denoise(x, sigma), mask)

    return blended


def settle(recipe: Recipe, source_latent: Tensor, latents: Tensor, mask: Tensor) -> Tensor:
    """The finished latents: what lies outside the mask is the source's again."""
    return _blend(source_latent, latents, mask)


def extra_channels(
    unet_channels: int, vae: AutoencoderKL, canvas: Canvas, recipe: Recipe
) -> Tensor | None:
    """What the UNet sees beside the noisy latents, (1, C, h, w); None for plain models."""
    return None


def _blend(kept: Tensor, painted: Tensor, mask: Tensor) -> Tensor:
    return kept * (1 - mask) + painted * mask
