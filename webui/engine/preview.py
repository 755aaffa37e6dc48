"""A rough look at an unfinished picture: latents to colours by one matrix or a small network."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import avg_pool2d

from webui.engine.autoencoder import encode
from webui.engine.latent_format import scale_of

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.autoencoders.vae import DecoderTiny

PATCHES: Final = 6
PATCH_CELLS: Final = 4
"""Cells along one side of a patch; at the borders between smaller ones a VAE stores more than
colour, which spoils the map."""
WHITE_SHARE: Final = 0.3
"""Many pictures are white in large parts, and a tint is seen there first."""
ENLARGED: Final = 4
JPEG_QUALITY: Final = 80


class Previewer:
    """Shows latents of one VAE. The colours are learned from that VAE itself, so that any VAE of
    a family looks right: the best linear map from its latents of a colour chart to the chart."""

    def __init__(self, vae: AutoencoderKL) -> None:
        chart = _colour_chart(scale_of(vae))
        latent = encode(vae, chart)[0].flatten(1).T.cpu()  # (cells, 4)
        pixels = torch.from_numpy(np.asarray(chart, dtype=np.float32)).permute(2, 0, 1)
        colours = avg_pool2d(pixels, scale_of(vae)).flatten(1).T  # (cells, 3), 0..255
        self._matrix: Final = torch.linalg.lstsq(_with_one(latent), colours).solution

    def jpeg(self, latent: Tensor) -> bytes:
        """A small JPEG of one latent (4, h, w), half the size of the picture."""
        _, height, width = latent.shape
        colours = _with_one(latent.flatten(1).T.float().cpu()) @ self._matrix
        pixels = colours.clamp(0, 255).to(torch.uint8).reshape(height, width, 3).numpy()
        return _jpeg(Image.fromarray(pixels), latent)


class SmallDecoder:
    """Shows latents by a network that was trained to do what a family's VAE does, at a fraction
    of its cost: Ollin Boer Bohan's TAESD."""

    def __init__(self, decoder: DecoderTiny) -> None:
        self._decoder: Final = decoder
        self.channels: Final = int(decoder.layers[0].in_channels)
        """Of the latents that it knows."""

    def jpeg(self, latent: Tensor) -> bytes:
        """A small JPEG of one latent (C, h, w), half the size of the picture."""
        first = next(self._decoder.parameters())
        pixels = self._decoder(latent[None].to(first))[0].float().cpu()
        bytes_ = ((pixels.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        return _jpeg(Image.fromarray(bytes_.permute(1, 2, 0).numpy()), latent)


def _jpeg(picture: Image.Image, latent: Tensor) -> bytes:
    size = (latent.shape[2] * ENLARGED, latent.shape[1] * ENLARGED)
    file = io.BytesIO()
    picture.resize(size, Image.Resampling.BICUBIC).save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()


def _colour_chart(scale: int) -> Image.Image:
    """Patches of random colours, the same on every run."""
    random = np.random.default_rng(0)
    colours = random.integers(0, 256, (PATCHES, PATCHES, 3), dtype=np.uint8)
    colours[random.random((PATCHES, PATCHES)) < WHITE_SHARE] = 255
    side = PATCHES * PATCH_CELLS * scale
    return Image.fromarray(colours).resize((side, side), Image.Resampling.NEAREST)


def _with_one(values: Tensor) -> Tensor:
    """(n, c) -> (n, c + 1): the last factor of the map is its offset."""
    return torch.cat([values, torch.ones(len(values), 1)], dim=1)
