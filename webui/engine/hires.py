"""From the first pass's latents to those that the second begins with, larger."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Final

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from webui.core.events import Alive, EngineEvent, Progress
from webui.core.recipe import Recipe
from webui.core.request import CELL
from webui.engine.hires_size import HiresSize, hires_size
from webui.engine.passes.bench import Bench
from webui.engine.passes.meter import Meter
from webui.engine.passes.pixels import decoded, encoded
from webui.engine.passes.plan import Pass
from webui.engine.upscale import enlarge
from webui.upscalers import Upscalers

UPSCALING_STEPS: Final = 10
"""How many steps of a sampler a network that enlarges the pictures counts as, for the progress."""


def upscaling_steps(recipe: Recipe, upscalers: Upscalers) -> int:
    """What a second pass takes beside its steps: something when an upscaler comes from a file."""
    is_file = recipe.hires is not None and recipe.hires.upscaler not in upscalers
    return UPSCALING_STEPS if is_file else 0


def enlarged(
    bench: Bench, meter: Meter, first: Pass, second: Pass, latents: Tensor
) -> Generator[EngineEvent, None, Tensor]:
    """Latents of the second pass's size, (B, 4, h, w). Raises InvalidRequest.

    Latent modes enlarge the latents; upscalers the pictures, which are decoded by the first
    pass's VAE and encoded by the second's.
    """
    recipe = first.recipe
    assert recipe.hires is not None
    size = hires_size(recipe.width, recipe.height, recipe.hires)
    upscaler = bench.upscalers.get(recipe.hires.upscaler)
    if upscaler is not None and upscaler.interpolation is not None:
        cells = (size.enlarged_height // CELL, size.enlarged_width // CELL)
        way, is_smoothed = upscaler.interpolation, upscaler.is_smoothed
        return cut(interpolate(latents, cells, mode=way, antialias=is_smoothed), size)
    pictures = yield from _decoded(bench, first, latents)
    larger = yield from _upscaled(bench, meter, recipe, pictures, size)
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
            pictures.append(decoded(bench, pipeline, latent))
        yield Alive()
    return pictures


def _upscaled(
    bench: Bench, meter: Meter, recipe: Recipe, pictures: Sequence[Image.Image], size: HiresSize
) -> Generator[EngineEvent, None, list[Image.Image]]:
    """In whole cells: a part of one at the right or the bottom is cut off, as a VAE would."""
    assert recipe.hires is not None
    steps = upscaling_steps(recipe, bench.upscalers)
    larger: list[Image.Image] = []
    wanted = (size.enlarged_width, size.enlarged_height)
    whole = (0, 0, wanted[0] // CELL * CELL, wanted[1] // CELL * CELL)
    name = recipe.hires.upscaler

    def report(done: float, note: str) -> Progress:
        return meter.part((len(larger) + done) / len(pictures), steps, note)

    for picture in pictures:
        big = yield from enlarge(
            picture, name, wanted, bench.work, bench.manager, report, bench.upscalers
        )
        larger.append(big.crop(whole))
    meter.end_pass(steps)
    return larger


def _encoded(
    bench: Bench, this: Pass, pictures: Sequence[Image.Image]
) -> Generator[EngineEvent, None, Tensor]:
    pipeline, latents = bench.pipeline(this.model), []
    for picture in pictures:
        with bench.tiled(pipeline, this.recipe):
            latents.append(encoded(bench, pipeline, picture))
        yield Alive()
    return torch.cat(latents)
