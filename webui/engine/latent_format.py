"""What VAEs differ in: how large their cells are, how their latents are told, what they take.

The samplers' latents have a mean of about 0 and a spread of about 1 in every channel; a VAE's own
have not. Everybody else sees pictures (1, 3, H, W) and latents (1, C, h, w).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL


DEEP: Final = "encoder_block_out_channels"
"""The setting of Sana's autoencoder, which knows one latent for a picture."""
BATCH_NORM: Final = "batch_norm_eps"
"""The setting of Flux.2's VAE, which counts the mean and the spread of its latents."""
SIDE: Final = 2
"""Cells along one side of its tokens."""


def blocks_of(vae: AutoencoderKL) -> tuple[int, ...]:
    """Its channels, from the picture inwards; each block but the last halves the sides."""
    config: Any = vae.config
    if is_film(vae):
        return tuple(config.base_dim * factor for factor in config.dim_mult)
    if DEEP in config:
        return tuple(config[DEEP])
    return tuple(config.block_out_channels)


def scale_of(vae: AutoencoderKL) -> int:
    """Pixels along one side of a latent cell."""
    return int(2 ** (len(blocks_of(vae)) - 1))


def channels_of(vae: AutoencoderKL) -> int:
    """Of its latents."""
    config: Any = vae.config
    return int(config.z_dim if is_film(vae) else config.latent_channels)


def is_film(vae: AutoencoderKL) -> bool:
    """Whether it takes films, (1, C, frames, h, w), of which a picture is one of one frame."""
    return "z_dim" in vae.config


def has_statistics(vae: AutoencoderKL) -> bool:
    """Whether each of its channels has a mean and a spread of its own."""
    return is_film(vae) or BATCH_NORM in vae.config


def told(vae: AutoencoderKL, latent: Tensor) -> Tensor:
    """The VAE's own latent as samplers have it."""
    if has_statistics(vae):
        mean, spread = _statistics(vae, latent)
        return (latent - mean) / spread
    shift = _shift_of(vae)
    return (latent - shift if shift else latent) * float(vae.config.scaling_factor)


def untold(vae: AutoencoderKL, latent: Tensor) -> Tensor:
    """The samplers' latent as the VAE has it."""
    if has_statistics(vae):
        mean, spread = _statistics(vae, latent)
        return latent * spread + mean
    plain: Tensor = latent / vae.config.scaling_factor
    shift = _shift_of(vae)
    return plain + shift if shift else plain


def mean_of(vae: AutoencoderKL, pixels: Tensor) -> Tensor:
    """The middle of what the VAE thinks possible for a picture, its own latent."""
    if is_film(vae):
        film: Tensor = vae.encode(pixels[:, :, None]).latent_dist.mean.float()
        return film[:, :, 0]
    if DEEP in vae.config:
        known: Tensor = vae.encode(pixels, return_dict=False)[0].float()
        return known
    mean: Tensor = vae.encode(pixels).latent_dist.mean.float()
    return mean


def pixels_of(vae: AutoencoderKL, latent: Tensor) -> Tensor:
    """The picture of a VAE's own latent, about -1..1."""
    if is_film(vae):
        film: Tensor = vae.decode(latent[:, :, None], return_dict=False)[0]
        return film[:, :, 0].float()
    pixels: Tensor = vae.decode(latent, return_dict=False)[0].float()
    return pixels


def _statistics(vae: AutoencoderKL, like: Tensor) -> tuple[Tensor, Tensor]:
    """The mean and the spread of each channel, (C, 1, 1); of Flux.2 (C, h, w), for there each cell
    of a token has its own."""
    config: Any = vae.config
    if BATCH_NORM in config:
        norm: Any = vae.bn
        spread = (norm.running_var.float() + config[BATCH_NORM]).sqrt()
        return _tiled(norm.running_mean.float(), like), _tiled(spread, like)
    both = torch.tensor([config.latents_mean, config.latents_std]).to(like)[..., None, None]
    return both[0], both[1]


def _tiled(values: Tensor, like: Tensor) -> Tensor:
    """(4 C), for the cells of a token, as (C, h, w)."""
    height, width = like.shape[-2:]
    cells = values.to(like).view(-1, SIDE, SIDE)
    return cells.repeat(1, -(-height // SIDE), -(-width // SIDE))[:, :height, :width]


def _shift_of(vae: AutoencoderKL) -> float:
    """What the latents' mean was moved by, in the families of SD 3 and Flux; 0 for none."""
    return float(getattr(vae.config, "shift_factor", None) or 0.0)
