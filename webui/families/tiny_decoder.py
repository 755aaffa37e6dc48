"""Loads a small decoder for previews (TAESD), as its author or as diffusers has it.

torch and diffusers are imported inside the functions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from webui.core.errors import ModelUnreadable
from webui.families.components import Placement
from webui.modelfiles.tensors import read_tensors

if TYPE_CHECKING:
    from diffusers.models.autoencoders.vae import DecoderTiny
    from torch import Tensor

LAYER: Final = re.compile(r"(\d+)\.(.+)")
DIFFUSERS: Final = "decoder.layers."
BLOCK: Final = "conv.0.weight"


def load_tiny_decoder(path: Path, placement: Placement) -> DecoderTiny:
    """From latents as the sampler has them, (B, C, h, w), to pictures of -1..1. Its size is told
    by the file. Raises ModelUnreadable."""
    from diffusers.models.autoencoders.vae import DecoderTiny

    tensors = _layers(read_tensors(path))
    try:
        width, channels = tensors["layers.0.weight"].shape[:2]
        blocks = _blocks(tensors)
        decoder = DecoderTiny(
            in_channels=channels,
            out_channels=3,
            num_blocks=blocks,
            block_out_channels=(width,) * len(blocks),
            upsampling_scaling_factor=2,
            act_fn="relu",
            upsample_fn="nearest",
        )
        decoder.load_state_dict(dict(tensors))
    except (KeyError, RuntimeError, ValueError) as error:
        raise ModelUnreadable(
            path.stem, f"it is no preview decoder of a known kind ({error}). Remove it."
        ) from error
    placed: DecoderTiny = decoder.to(device=placement.device, dtype=placement.dtype)
    return placed.eval().requires_grad_(False)


def _layers(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """By diffusers' names. The author's row of layers begins with a clamp, which has no weights
    and no place in diffusers' row."""
    if any(key.startswith(DIFFUSERS) for key in tensors):
        return {
            f"layers.{key.removeprefix(DIFFUSERS)}": tensor
            for key, tensor in tensors.items()
            if key.startswith(DIFFUSERS)
        }
    matches = [(LAYER.fullmatch(key), tensor) for key, tensor in tensors.items()]
    return {f"layers.{int(m[1]) - 1}.{m[2]}": tensor for m, tensor in matches if m}


def _blocks(tensors: Mapping[str, Tensor]) -> tuple[int, ...]:
    """How many blocks stand before each convolution but the first."""
    places = [LAYER.fullmatch(key.removeprefix("layers.")) for key in tensors]
    kinds: dict[int, bool] = {}
    for match in places:
        if match:
            kinds[int(match[1])] = kinds.get(int(match[1]), False) or match[2] == BLOCK
    counts = [0]
    for place in sorted(kinds)[1:]:
        if kinds[place]:
            counts[-1] += 1
        else:
            counts.append(0)
    return tuple(counts[:-1])
