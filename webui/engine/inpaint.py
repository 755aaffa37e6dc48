"""Inpainting in latents: what lies under the mask at the start, what is kept at every step, what
is put back at the end, and what checkpoints made for inpainting are shown besides.

Latents are float32, (B, 4, h, w), a source's (1, 4, h, w); masks (1, 1, h, w), 1 where to paint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate, pixel_unshuffle

from webui.core.errors import InvalidRequest
from webui.core.recipe import Recipe
from webui.core.request import MaskContent, ResizeMode, SoftInpainting
from webui.engine.autoencoder import encode
from webui.engine.canvas import Canvas
from webui.engine.latent_format import channels_of, scale_of
from webui.imaging.fit import fit
from webui.imaging.masks import latent_mask
from webui.samplers.sampler import Denoise

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

INPAINT_CHANNELS: Final = 9
"""Of a UNet made for inpainting: four of the noisy latents, the mask, four of the picture."""
FILL_CHANNELS: Final = 384
"""Of Flux Fill: tokens of 2 x 2 cells, each with 16 channels of the noisy latents, 16 of the
picture, and the 64 pixels of the mask that lie in it."""
CONTROL_CELLS: Final = 8
"""Of a Flux that draws after edges or depths: a token is 2 x 2 cells of the noisy latents, and as
many of the picture that shows them."""
EDIT_CHANNELS: Final = 8
"""Of a UNet made for editing by instructions: four of the noisy latents, four of the picture."""
GREY: Final = (128, 128, 128)
"""What the masked part of the picture looks like to it."""


def mask_latent(canvas: Canvas, recipe: Recipe, source_latent: Tensor) -> Tensor | None:
    """Which cells are painted, on the source's device; None where all are.

    0 or 1, but for soft inpainting, which takes the values between as they are.
    """
    if canvas.mask is None:
        return None
    height, width = source_latent.shape[-2:]
    small = latent_mask(canvas.mask, width, height, is_soft=_soft(recipe) is not None)
    return torch.from_numpy(small)[None, None].to(source_latent)


def begin(
    canvas: Canvas, recipe: Recipe, source_latent: Tensor, mask: Tensor | None, noise: Tensor
) -> Tensor:
    """The latents that the first noise is laid over. `noise` is that noise, of spread 1."""
    if mask is None:
        return source_latent
    match canvas.content:
        case MaskContent.NOISE:
            return _blend(source_latent, noise, mask)
        case MaskContent.NOTHING:
            return _blend(source_latent, torch.zeros_like(source_latent), mask)
    return source_latent


def masked(denoise: Denoise, recipe: Recipe, source_latent: Tensor, mask: Tensor) -> Denoise:
    """A denoiser that leaves the source where nothing is painted, at every step."""
    return _Kept(denoise, source_latent, mask, _soft(recipe))


def settle(recipe: Recipe, source_latent: Tensor, latents: Tensor, mask: Tensor) -> Tensor:
    """The finished latents: what lies outside the mask is the source's again.

    Soft inpainting leaves them as they are: there the pixels decide what is kept.
    """
    return latents if _soft(recipe) is not None else _blend(source_latent, latents, mask)


def extra_channels(
    channels: int, vae: AutoencoderKL, canvas: Canvas, recipe: Recipe
) -> Tensor | None:
    """What the network sees beside the noisy latents, (1, C, h, w); None for plain models.

    Of inpainting checkpoints: the mask, and the latent of the picture with the masked part in
    grey, as far as `conditioning_strength` says. Without a mask all is grey and masked. Of editing
    checkpoints: the latent of the picture, not scaled; nothing without one. Of those that draw
    after a picture: its latent. Raises InvalidRequest where they are given none.
    """
    if channels == CONTROL_CELLS * channels_of(vae):
        return _control(vae, canvas, recipe)
    if channels == EDIT_CHANNELS:
        return _picture(vae, canvas, recipe)
    if channels not in (INPAINT_CHANNELS, FILL_CHANNELS):
        return None
    hidden, shown = _hidden(canvas, recipe)
    latent = encode(vae, shown)
    mask = _pixels(hidden).to(latent)
    if channels == FILL_CHANNELS:
        return torch.cat([latent, pixel_unshuffle(mask, scale_of(vae))], dim=1)
    cells = interpolate(mask, size=latent.shape[-2:], mode="nearest")
    return torch.cat([cells, latent], dim=1)


def image_guidance(channels: int, canvas: Canvas, recipe: Recipe) -> float | None:
    """How closely the picture is followed, by a model that edits one; None for all others."""
    if channels != EDIT_CHANNELS or canvas.source is None or recipe.source is None:
        return None
    return recipe.source.image_guidance


def _picture(vae: AutoencoderKL, canvas: Canvas, recipe: Recipe) -> Tensor:
    size = (recipe.width, recipe.height)
    if canvas.source is None:
        return torch.zeros_like(encode(vae, Image.new("RGB", size)))
    shown = fit(canvas.source, *size, ResizeMode.STRETCH)
    return encode(vae, shown) / float(vae.config.scaling_factor)


def _control(vae: AutoencoderKL, canvas: Canvas, recipe: Recipe) -> Tensor:
    if canvas.source is None:
        raise InvalidRequest(
            "source.image",
            "This model draws after the edges or the depths of a picture, and there is none. Give "
            "it one that shows them, in img2img.",
        )
    return encode(vae, fit(canvas.source, recipe.width, recipe.height, ResizeMode.STRETCH))


def _hidden(canvas: Canvas, recipe: Recipe) -> tuple[Image.Image, Image.Image]:
    """The mask, black and white, and the picture with grey under it."""
    size = (recipe.width, recipe.height)
    if canvas.source is None or canvas.mask is None:
        return Image.new("L", size, 255), Image.new("RGB", size, GREY)
    hidden = canvas.mask.point([0] * 128 + [255] * 128)
    shown = fit(canvas.source, *size, ResizeMode.STRETCH)
    strength = 1.0 if recipe.mask is None else recipe.mask.conditioning_strength
    greyed = Image.blend(shown, Image.new("RGB", size, GREY), strength)
    return hidden, Image.composite(greyed, shown, hidden)


class _Kept:
    """The denoiser of `masked`."""

    def __init__(
        self, denoise: Denoise, kept: Tensor, mask: Tensor, soft: SoftInpainting | None
    ) -> None:
        self._denoise: Final = denoise
        self._kept: Final = kept
        self._mask: Final = mask
        self._soft: Final = soft

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """As Denoise."""
        return self._blended(self._denoise(x, sigma), sigma)

    def both(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        """As Denoise: what is kept is kept in both."""
        guided, unguided = self._denoise.both(x, sigma)
        return self._blended(guided, sigma), self._blended(unguided, sigma)

    def _blended(self, painted: Tensor, sigma: float) -> Tensor:
        if self._soft is None:
            return _blend(self._kept, painted, self._mask)
        return soft_blend(self._kept, painted, self._mask, sigma, self._soft)


def soft_blend(
    kept: Tensor, painted: Tensor, mask: Tensor, sigma: float, soft: SoftInpainting
) -> Tensor:
    """The two mixed where the mask lies between 0 and 1, the more of `kept` the noisier the step.

    A mean of two unlike vectors is shorter than either, which looks washed out; so the length of
    each cell's vector is mixed apart, by a power mean that leans to the longer one.
    """
    exponent = soft.preservation_strength * sigma**soft.schedule_bias
    share = torch.where(mask == 0, mask, mask**exponent)
    mixed = _blend(kept, painted, share)
    power = soft.transition_contrast
    lengths = [each.norm(dim=1, keepdim=True) for each in (kept, painted)]
    largest = torch.maximum(*lengths).clamp(min=1e-6)  # keeps the powers within float32
    mean = _blend((lengths[0] / largest) ** power, (lengths[1] / largest) ** power, share)
    wanted = mean ** (1 / power) * largest
    stretched = mixed * wanted / mixed.norm(dim=1, keepdim=True).clamp(min=1e-6)
    return torch.where(share == 0, kept, torch.where(share == 1, painted, stretched))


def _blend(kept: Tensor, painted: Tensor, mask: Tensor) -> Tensor:
    return kept * (1 - mask) + painted * mask


def _pixels(mask: Image.Image) -> Tensor:
    """(1, 1, H, W), 0..1."""
    return torch.from_numpy(np.asarray(mask, dtype=np.float32) / 255)[None, None]


def _soft(recipe: Recipe) -> SoftInpainting | None:
    return None if recipe.mask is None else recipe.mask.soft
