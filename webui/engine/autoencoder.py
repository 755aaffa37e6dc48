"""Between pictures and latents, with a model's VAE."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL


def scale_of(vae: AutoencoderKL) -> int:
    """Pixels along one side of a latent cell."""
    return int(2 ** (len(vae.config.block_out_channels) - 1))


def encode(vae: AutoencoderKL, picture: Image.Image) -> Tensor:
    """The latent of an RGB picture whose sides are multiples of the scale: float32, (1, 4, h, w).

    The mean of what the VAE thinks possible, not a draw from it: the same on every run, nearest
    to the picture, and the seed's noise stays that of txt2img. (A1111 draws without a seed.)
    """
    pixels = torch.from_numpy(np.asarray(picture, dtype=np.float32)) / 127.5 - 1
    answer = vae.encode(pixels.permute(2, 0, 1)[None].to(vae.device, vae.dtype))
    mean: Tensor = answer.latent_dist.mean.float()
    return mean * float(vae.config.scaling_factor)


def decode(vae: AutoencoderKL, latent: Tensor) -> Image.Image:
    """The RGB picture of one latent (4, h, w).

    Done again in float32 when half precision overflows, which some VAEs are known for.
    """
    pixels = _decoded(vae, latent)
    if not bool(torch.isfinite(pixels).all()):
        dtype = vae.dtype
        pixels = _decoded(vae.to(torch.float32), latent)
        vae.to(dtype)
    bytes_ = ((pixels.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return Image.fromarray(bytes_[0].permute(1, 2, 0).cpu().numpy())


def _decoded(vae: AutoencoderKL, latent: Tensor) -> Tensor:
    """(1, 3, H, W), about -1..1."""
    plain = (latent[None] / vae.config.scaling_factor).to(vae.dtype)
    pixels: Tensor = vae.decode(plain, return_dict=False)[0].float()
    return pixels
