"""Between pictures and latents in a batch: room is made for the VAE, and it works in strips where
that is short."""

from __future__ import annotations

from PIL import Image
from torch import Tensor

from webui.engine.autoencoder import decode, decode_bytes, encode
from webui.engine.latent_format import blocks_of, scale_of
from webui.engine.memory.thrift import TILES
from webui.engine.passes.bench import Bench
from webui.engine.pipeline import Pipeline


def decoded(bench: Bench, pipeline: Pipeline, latent: Tensor) -> Image.Image:
    """The picture of one latent (C, h, w)."""
    vae, (height, width) = pipeline.components.vae, latent.shape[-2:]
    make_room(bench, pipeline, height, width)
    return bench.thrift.tiled(max(height, width), lambda tile: decode(vae, latent, tile))


def encoded(bench: Bench, pipeline: Pipeline, picture: Image.Image) -> Tensor:
    """The latent (1, C, h, w) of a picture whose sides are whole cells."""
    vae = pipeline.components.vae
    height, width = (side // scale_of(vae) for side in (picture.height, picture.width))
    make_room(bench, pipeline, height, width)
    return bench.thrift.tiled(max(height, width), lambda tile: encode(vae, picture, tile))


def make_room(bench: Bench, pipeline: Pipeline, height: int, width: int) -> None:
    """Bring the VAE, and choose the largest strips that have room, before one finds out."""
    vae, manager = pipeline.components.vae, bench.manager
    scale, blocks = scale_of(vae), blocks_of(vae)

    def need(tile: int | None) -> int:
        value_bytes = bench.device.placement.dtype.itemsize
        size = (width * scale, height * scale)
        return decode_bytes(*size, value_bytes=value_bytes, blocks=blocks, tile=tile)

    bench.thrift.whole(lambda: manager.bring(pipeline, [vae], need(TILES[-1])))
    free = manager.available_bytes
    fitting = (tile for tile in (None, *TILES) if need(tile) <= free)
    bench.thrift.expect_tile(next(fitting, TILES[-1]))
