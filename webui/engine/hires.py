"""From the first pass's latents to those that the second begins with, larger."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from webui.core.events import Alive, EngineEvent
from webui.engine.autoencoder import decode, encode
from webui.engine.hires_size import CELL, HiresSize, hires_size
from webui.engine.passes.bench import Bench
from webui.engine.passes.plan import Pass
from webui.engine.upscale import enlarge
from webui.upscalers import load_upscalers


def enlarged(
    bench: Bench, first: Pass, second: Pass, latents: Tensor
) -> Generator[EngineEvent, None, Tensor]:
    """Latents of the second pass's size, (B, 4, h, w). Raises InvalidRequest.

    Latent modes enlarge the latents; upscalers the pictures, which are decoded by the first
    pass's VAE and encoded by the second's.
    """
    recipe = first.recipe
    assert recipe.hires is not None
    size = hires_size(recipe.width, recipe.height, recipe.hires)
    upscaler = load_upscalers().get(recipe.hires.upscaler)
    if upscaler is not None and upscaler.interpolation is not None:
        cells = (size.enlarged_height // CELL, size.enlarged_width // CELL)
        way, is_smoothed = upscaler.interpolation, upscaler.is_smoothed
        return cut(interpolate(latents, cells, mode=way, antialias=is_smoothed), size)
    pictures = yield from _decoded(bench, first, latents)
    larger = yield from _upscaled(bench, recipe.hires.upscaler, pictures, size)
    encoded = yield from _encoded(bench, second, larger)
    return cut(encoded, size)


def cut(latents: Tensor, size: HiresSize) -> Tensor:
    """Without the cells that stick out of the size asked for."""
    left, top = size.crop
    rows = slice(top, top + size.height // CELL)
    return latents[:, :, rows, left : left + size.width // CELL]


def _decoded(
    bench: Bench, this: Pass, latents: Tensor
) -> Generator[EngineEvent, None, list[Image.Image]]:
    pipeline, pictures = bench.pipeline(this.model), []
    for latent in latents:
        with bench.tiled(pipeline, this.recipe):
            pictures.append(decode(pipeline.components.vae, latent))
        yield Alive()
    return pictures


def _upscaled(
    bench: Bench, upscaler: str, pictures: Sequence[Image.Image], size: HiresSize
) -> Generator[EngineEvent, None, list[Image.Image]]:
    """In whole cells: a part of one at the right or the bottom is cut off, as a VAE would."""
    larger = []
    wanted = (size.enlarged_width, size.enlarged_height)
    whole = (0, 0, wanted[0] // CELL * CELL, wanted[1] // CELL * CELL)
    for picture in pictures:
        big = yield from enlarge(picture, upscaler, wanted, bench.work, bench.device)
        larger.append(big.crop(whole))
    return larger


def _encoded(
    bench: Bench, this: Pass, pictures: Sequence[Image.Image]
) -> Generator[EngineEvent, None, Tensor]:
    pipeline, latents = bench.pipeline(this.model), []
    for picture in pictures:
        with bench.tiled(pipeline, this.recipe):
            latents.append(encode(pipeline.components.vae, picture))
        yield Alive()
    return torch.cat(latents)
