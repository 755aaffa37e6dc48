"""The autoencoder of Sana, which makes pictures 32 times smaller, by the library's names; its shape
as a file tells it.

torch and diffusers are imported inside the functions.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final

from webui.core.errors import ModelUnreadable
from webui.families.components import Placement
from webui.families.weights import TensorFiles, build

IS_DEEP: Final = "encoder_block_out_channels"
"""A setting that other VAEs have not."""
USUAL: Final[Mapping[str, Any]] = MappingProxyType({IS_DEEP: (), "scaling_factor": 0.41407})
"""What no file tells; the widths are the file's."""
STARTS: Final = ("", "vae.", "first_stage_model.")
FIRST: Final = "decoder.conv_in.weight"
LAYER: Final = re.compile(r"(encoder\.down|decoder\.up)_blocks\.(\d+)\.(\d+)\.(.+)")
RESIDUAL, ATTENTION = "conv1.weight", "attn.to_out.weight"
"""Of the two kinds of layers; each has as many rows as its block is wide."""
SCALES: Final = "attn.to_qkv_multiscale.0.proj_in.weight"
RESIZING: Final = "conv.weight"
FOLD: Final = 4
"""How many pixels become channels of one, where sides are halved."""


@dataclass(kw_only=True)
class _Block:
    """What its names tell. `resized`: how many channels leave what changes its size."""

    kind: str = "ResBlock"
    width: int = 0
    layers: set[int] = field(default_factory=set)
    scales: tuple[int, ...] = ()
    resized: int = 0


def load_deep_vae(files: TensorFiles, like: Mapping[str, Any], placement: Placement) -> Any:
    """The autoencoder in `files`; what no file tells is as in `like`. Raises ModelUnreadable."""
    from diffusers.models.autoencoders.autoencoder_dc import AutoencoderDC

    start = next((each for each in STARTS if each + FIRST in files), None)
    coders = {way: _blocks(files, start or "", way) for way in ("encoder.down", "decoder.up")}
    if start is None or not all(coders.values()):
        raise ModelUnreadable(
            files.name,
            "it is no VAE of Sana, which this model needs. Choose one in diffusers' layout, "
            "diffusion_pytorch_model.safetensors, or leave the VAE to Automatic.",
        )
    config = {**like, **_settings(*coders.values())}
    config["latent_channels"] = files.shape(start + FIRST)[1]
    return build(
        partial(AutoencoderDC.from_config, config), partial(_names, start=start), files, placement
    )


def _settings(encoder: list[_Block], decoder: list[_Block]) -> dict[str, Any]:
    is_folded = any(each.resized * FOLD == after.width for each, after in pairwise(encoder))
    is_spread = any(each.resized == FOLD * each.width for each in decoder)
    return {
        **dict(_half("encoder", encoder)),
        **dict(_half("decoder", decoder)),
        "downsample_block_type": "pixel_unshuffle" if is_folded else "conv",
        "upsample_block_type": "pixel_shuffle" if is_spread else "interpolate",
    }


def _half(name: str, blocks: list[_Block]) -> Iterator[tuple[str, Any]]:
    yield f"{name}_block_types", [block.kind for block in blocks]
    yield f"{name}_block_out_channels", [block.width for block in blocks]
    yield f"{name}_layers_per_block", [len(block.layers) for block in blocks]
    yield f"{name}_qkv_multiscales", [block.scales for block in blocks]


def _blocks(files: TensorFiles, start: str, way: str) -> list[_Block]:
    found: dict[int, _Block] = {}
    for key in files:
        match = LAYER.fullmatch(key.removeprefix(start))
        if match is None or match[1] != way:
            continue
        block, name = found.setdefault(int(match[2]), _Block()), match[4]
        if name in (RESIDUAL, ATTENTION):
            block.layers.add(int(match[3]))
            block.width = files.shape(key)[0]
            block.kind = "ResBlock" if name == RESIDUAL else "EfficientViTBlock"
        elif name == SCALES:
            block.scales = (files.shape(key)[-1],)
        elif name == RESIZING:
            block.resized = files.shape(key)[0]
    return [found[number] for number in sorted(found)]


def _names(keys: Collection[str], start: str) -> Mapping[str, str]:
    return {key: start + key for key in keys}
