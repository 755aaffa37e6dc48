"""Between pictures and latents, with a model's VAE."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from webui.engine.device_memory import free_bytes
from webui.engine.latent_format import (
    blocks_of,
    mean_of,
    pixels_of,
    scale_of,
    told,
    untold,
)
from webui.engine.vae_rows import can_go_by_rows, decode_by_rows, encode_by_rows

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

log = logging.getLogger(__name__)

HALF: Final = torch.float16
"""The one precision whose range VAEs are known to leave."""
PEAK_VALUES: Final = 7
"""Values for each pixel and channel of the last block that decoding holds at its peak: 1.6 GiB at
1024 x 1024 in half precision with 128 channels, measured on one GPU."""
STRIP_VALUES: Final = 11
"""The same of a strip."""
KEPT_VALUES: Final = 4
"""Of the same, what is kept of whole layers when decoding goes by rows."""
SMALL_VALUES: Final = 6
"""Values for each cell and channel of the layers of low resolution."""
LARGEST_AT_ONCE: Final = 2 * 2**30
"""A GPU decodes what needs more in strips, room or not: they cost hardly any time, and what is
taken once is missing elsewhere, in the next picture's graph for one."""
OWN_TILE: Final = 64
FIXED_BYTES: Final = 64 * 2**20
"""Working memory of the libraries."""


def encode(vae: AutoencoderKL, picture: Image.Image, tile: int | None = None) -> Tensor:
    """The latent of an RGB picture whose sides are multiples of the scale: float32, (1, C, h, w).

    The mean of what the VAE thinks possible, not a draw from it: the same on every run, nearest
    to the picture, and the seed's noise stays that of txt2img. (A1111 draws without a seed.)
    `tile`: as with `decode`.
    """
    pixels = torch.from_numpy(np.asarray(picture, dtype=np.float32)) / 127.5 - 1
    pixels = pixels.permute(2, 0, 1)[None]
    mean = _encoded(vae, pixels, tile)
    if not _is_finite(mean) and _widen(vae):
        mean = _encoded(vae, pixels, tile)
    return told(vae, mean)


def decode(vae: AutoencoderKL, latent: Tensor, tile: int | None = None) -> Image.Image:
    """The RGB picture of one latent (C, h, w).

    `tile`: the VAE's large layers go over the picture in strips of so many cells times so many,
    which takes less memory and gives the same but for rounding: 1e-6 of the values in float32,
    1.3e-3 in float16, where the whole decode is 2.7e-3 off by itself. None: all at once, but for
    large pictures on a GPU. VAEs of unknown build, and seamless pictures, are always decoded at
    once.

    A VAE whose numbers grow beyond what half precision can hold is brought to float32 and stays
    so; `note_of` tells it.
    """
    pixels = _decoded(vae, latent, tile)
    if not _is_finite(pixels) and _widen(vae):
        pixels = _decoded(vae, latent, tile)
    bytes_ = ((pixels.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return Image.fromarray(bytes_[0].permute(1, 2, 0).cpu().numpy())


def note_of(vae: AutoencoderKL, wanted: torch.dtype) -> str:
    """What a picture's facts say of a VAE that went from the wanted precision to a wider one; empty
    where it did not."""
    if wanted != HALF or vae.dtype != torch.float32:
        return ""
    return f"{_name(vae.dtype)}, because its numbers are too large for {_name(wanted)}"


def decode_bytes(
    width: int,
    height: int,
    *,
    value_bytes: int,
    blocks: tuple[int, ...] = (128, 256, 512, 512),
    tile: int | None = None,
    is_kept_here: bool = True,
) -> int:
    """Memory that decoding a picture of so many pixels takes at its peak, beside the weights.

    `blocks`: the VAE's channels, from the picture inwards; `value_bytes`: of one number in its
    precision; `is_kept_here`: whether the device has room for whole layers too, which are kept in
    the computer's memory otherwise. A prediction, on the high side.
    """
    pixels, scale = width * height, 1 << (len(blocks) - 1)
    picture = 3 * pixels * (value_bytes + 4) + FIXED_BYTES
    value = blocks[0] * value_bytes
    rows = _rows(tile, height // scale, width // scale)
    if rows is None or len(blocks) < 3:
        return PEAK_VALUES * value * pixels + picture
    small = SMALL_VALUES * blocks[2] * value_bytes * pixels // 16
    strip = STRIP_VALUES * value * rows * scale * width
    kept = KEPT_VALUES * value * pixels if is_kept_here else 0
    return max(small, strip + kept) + picture


def _encoded(vae: AutoencoderKL, pixels: Tensor, tile: int | None) -> Tensor:
    seen = pixels.to(vae.device, vae.dtype)
    height, width = (side // scale_of(vae) for side in seen.shape[-2:])
    tile = tile or _own_tile(vae, height, width)
    rows = _rows(tile, height, width)
    if rows is not None and can_go_by_rows(vae):
        moments = encode_by_rows(vae, seen, rows, _store(vae, height, width, tile))
        return moments.chunk(2, dim=1)[0].float()
    return mean_of(vae, seen)


def _decoded(vae: AutoencoderKL, latent: Tensor, tile: int | None) -> Tensor:
    """(1, 3, H, W), about -1..1."""
    plain = untold(vae, latent[None]).to(vae.device, vae.dtype)
    height, width = latent.shape[-2:]
    tile = tile or _own_tile(vae, height, width)
    rows = _rows(tile, height, width)
    if rows is not None and can_go_by_rows(vae):
        return decode_by_rows(vae, plain, rows, _store(vae, height, width, tile)).float()
    return pixels_of(vae, plain)


def _rows(tile: int | None, height: int, width: int) -> int | None:
    """How many rows of a latent of so many cells make `tile` times `tile`; None for all."""
    if tile is None or tile * tile >= height * width:
        return None
    return max(1, tile * tile // width)


def _own_tile(vae: AutoencoderKL, height: int, width: int) -> int | None:
    """The strips of a picture of so many cells for which none were asked."""
    is_large = _need(vae, height, width, None) > LARGEST_AT_ONCE
    return OWN_TILE if is_large and vae.device.type == "cuda" else None


def _store(vae: AutoencoderKL, height: int, width: int, tile: int | None) -> torch.device:
    """Where whole layers of a picture of so many cells are kept: on the device if it has room."""
    free = free_bytes(vae.device)
    has_room = free is None or _need(vae, height, width, tile) <= free
    return vae.device if has_room else torch.device("cpu")


def _need(vae: AutoencoderKL, height: int, width: int, tile: int | None) -> int:
    scale, blocks = scale_of(vae), blocks_of(vae)
    size = width * scale, height * scale
    return decode_bytes(*size, value_bytes=vae.dtype.itemsize, blocks=blocks, tile=tile)


def _is_finite(values: Tensor) -> bool:
    return bool(torch.isfinite(values).all())


def _widen(vae: AutoencoderKL) -> bool:
    """Bring a VAE in half precision to float32, for good: what overflowed once will again. Whether
    there was anything to gain."""
    if vae.dtype != HALF:
        return False
    log.info("The VAE's numbers are too large for half precision; it goes on in float32.")
    torch.nn.Module.to(vae, torch.float32)  # diffusers' own warns of a list that is empty
    return True


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
