"""Brings a finished picture to another size, by a filter or by an upscaler from a file."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator
from typing import Final, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from webui.core.engine import Work
from webui.core.errors import InvalidRequest
from webui.core.events import Alive, Progress
from webui.core.model import ModelKind
from webui.engine.memory.shortage import free_memory, is_out_of_memory
from webui.engine.pipeline_manager import PipelineManager
from webui.engine.tiles import SMALLEST_TILE, enlarge_tiles, tile_count
from webui.engine.upscaler_file import UpscalerModel
from webui.upscalers import Upscaler, Upscalers

log = logging.getLogger(__name__)

MOST_PASSES: Final = 3
"""A picture that is to grow more than the network's factor goes through it again."""
LARGEST_BETWEEN: Final = 16384 * 16384
"""Pixels that a picture may have on the way to its size."""
CPU_TILE: Final = 128
"""A second or two in small networks; in one of ESRGAN's size, 23 blocks deep, 83 s for 192 pixels
on two cores with six times their work, which a cancel must not wait for."""
LARGEST_TILE: Final = 1024
NUMBERS_PER_PIXEL: Final = 5000
"""What a pixel of a tile takes in a network of ESRGAN's size, with some room: 4100 were measured
on an H100 in float16, for 256 to 1024 pixels. Where a larger one runs out of memory, the tiles
get smaller."""


class Network(Protocol):
    """What enlarges the parts: an upscaler from a file."""

    @property
    def scale(self) -> int:
        """Pixels of the result along a pixel of the picture."""
        ...

    @property
    def is_tileable(self) -> bool:
        """Whether it may see a picture in parts."""
        ...

    def __call__(self, pixels: Tensor) -> Tensor:
        """(1, 3, h, w) -> (1, 3, h * scale, w * scale), float32, 0..1."""
        ...


Report = Callable[[float, str], Progress]
"""Makes an event of which part of an upscaling is done, 0..1, and a note for people."""
Events = Generator[Alive | Progress, None, Image.Image]


def enlarge(
    picture: Image.Image,
    upscaler: str,
    size: tuple[int, int],
    work: Work,
    manager: PipelineManager,
    report: Report,
    upscalers: Upscalers,
    field: str = "hires.upscaler",
) -> Events:
    """The picture at exactly this size, RGB. Closing the generator ends it after the part at
    hand.

    Raises InvalidRequest for `field`, ModelUnreadable.
    """
    yield Alive()
    built_in = upscalers.get(upscaler)
    if built_in is not None and not built_in.is_latent:
        return _resampled(picture, built_in, size)
    info = work.file(ModelKind.UPSCALER, upscaler, field)
    yield report(0, f"Loading {info.name}")
    model = manager.upscaler(info)
    passes = _passes(picture.size, size, model.scale)
    _check_size(picture.size, model.scale**passes, field)
    tile = _tile(model, manager, picture.size)
    for number in range(passes):
        running = TiledPass(picture, model, tile)
        for done, note in running.run():
            yield report((number + done) / passes, note)
        picture, tile = running.result(), running.tile
    return picture.resize(size, Image.Resampling.LANCZOS) if picture.size != size else picture


def _resampled(picture: Image.Image, upscaler: Upscaler, size: tuple[int, int]) -> Image.Image:
    if upscaler.enlarge is None:
        return picture.resize(size, upscaler.filter)
    larger = upscaler.enlarge(picture, size).convert("RGB")
    return larger.resize(size, Image.Resampling.LANCZOS) if larger.size != size else larger


def _passes(here: tuple[int, int], wanted: tuple[int, int], scale: int) -> int:
    """How often the network is used: once, or until the picture is large enough."""
    factor = max(there / side for there, side in zip(wanted, here, strict=True))
    passes = 1
    while scale > 1 and passes < MOST_PASSES and scale**passes < factor:
        passes += 1
    return passes


def _check_size(size: tuple[int, int], scale: int, field: str) -> None:
    width, height = size[0] * scale, size[1] * scale
    if width * height > LARGEST_BETWEEN:
        raise InvalidRequest(
            field,
            f"With this upscaler, {size[0]} x {size[1]} would become {width} x {height} on the "
            "way, more than fits. Choose Lanczos, or begin with a smaller picture.",
        )


def _tile(model: UpscalerModel, manager: PipelineManager, size: tuple[int, int]) -> int:
    """How large the parts are: as the memory allows, small on a CPU so that a cancel is soon
    noticed; one for the whole picture where the network needs to see all of it."""
    if not model.is_tileable:
        return max(*size, SMALLEST_TILE)
    if manager.device.type != "cuda":
        return CPU_TILE
    free_bytes, _ = torch.cuda.mem_get_info(manager.device)
    pixels = free_bytes / 2 / (NUMBERS_PER_PIXEL * model.bytes_per_number)
    return int(min(max(pixels**0.5, SMALLEST_TILE), LARGEST_TILE)) // 8 * 8


class TiledPass:
    """One pass of a picture through a network, in parts that shrink when memory runs out."""

    def __init__(self, picture: Image.Image, model: Network, tile: int) -> None:
        """With parts of at most `tile` pixels at first."""
        self._pixels: Final = _to_tensor(picture)
        _, height, width = self._pixels.shape
        shape = (3, height * model.scale, width * model.scale)
        self._canvas: Final = torch.zeros(shape, dtype=torch.uint8)
        self._model: Final = model
        self.tile = tile

    def run(self) -> Iterator[tuple[float, str]]:
        """How much of it is done, 0..1, and in words. Raises what the device says when even the
        smallest parts are too large."""
        while True:
            is_short = False
            try:
                yield from self._parts()
            except (RuntimeError, MemoryError) as error:
                can_shrink = self._model.is_tileable and self.tile > SMALLEST_TILE
                if not can_shrink or not is_out_of_memory(error):
                    raise
                is_short = True
            if not is_short:  # only now, without the traceback, is the part's memory unused
                return
            free_memory()
            self.tile = max(SMALLEST_TILE, self.tile // 2)
            log.info("Too little memory; going on in parts of %d pixels.", self.tile)

    def result(self) -> Image.Image:
        """The enlarged picture, once all parts are done."""
        return Image.fromarray(self._canvas.permute(1, 2, 0).numpy())

    def _parts(self) -> Iterator[tuple[float, str]]:
        _, height, width = self._pixels.shape
        count = tile_count(width, height, self.tile)
        yield 0, "Upscaling"
        parts = enlarge_tiles(self._pixels, self._canvas, self._model, self.tile)
        for number, _ in enumerate(parts, start=1):
            yield number / count, f"Upscaling, part {number} of {count}"


def _to_tensor(picture: Image.Image) -> Tensor:
    """uint8, (3, h, w)."""
    return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)
