"""The names that tensors have in single files of the original (LDM) layout. Names only.

diffusers and transformers name the same tensors differently; each function here maps the names
of a model of theirs to those in the file, so that one table reads and writes such files.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from types import MappingProxyType
from typing import Final

UNET: Final = "model.diffusion_model."
VAE: Final = "first_stage_model."
TEXT_ENCODER: Final = "cond_stage_model.transformer."
FIRST_LAYER: Final = UNET + "input_blocks.0.0.weight"
"""(C, inputs, 3, 3): tells plain models from inpainting ones."""

_UNET_TOP: Final = MappingProxyType(
    {
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "time_embedding.cond_proj": "time_embed.cond_proj",
        "add_embedding.linear_1": "label_emb.0.0",
        "add_embedding.linear_2": "label_emb.0.2",
        "conv_in": "input_blocks.0.0",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
        "mid_block.resnets.0": "middle_block.0",
        "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2",
    }
)
_UNET_RESNET: Final = MappingProxyType(
    {
        "norm1": "in_layers.0",
        "conv1": "in_layers.2",
        "time_emb_proj": "emb_layers.1",
        "norm2": "out_layers.0",
        "conv2": "out_layers.3",
        "conv_shortcut": "skip_connection",
    }
)
_VAE_PARTS: Final = MappingProxyType(
    {
        "mid_block.resnets.0": "mid.block_1",
        "mid_block.attentions.0": "mid.attn_1",
        "mid_block.resnets.1": "mid.block_2",
        "conv_norm_out": "norm_out",
        "conv_shortcut": "nin_shortcut",
        "group_norm": "norm",
        "to_q": "q",
        "to_k": "k",
        "to_v": "v",
        "to_out.0": "proj_out",
    }
)
_BLOCK: Final = re.compile(
    r"(?P<way>down|up)_blocks\.(?P<block>\d+)\.(?P<kind>\w+)\.(?P<layer>\d+)\.(?P<rest>.+)"
)


def unet_names(keys: Collection[str], layers_per_block: int, prefix: str = UNET) -> dict[str, str]:
    """The file's name of each key of a UNet2DConditionModel."""
    attending = {key.split(".")[1] for key in keys if re.match(r"up_blocks\.\d+\.attentions", key)}
    return {key: prefix + _unet_name(key, layers_per_block, attending) for key in keys}


def vae_names(keys: Collection[str], prefix: str = VAE) -> dict[str, str]:
    """The file's name of each key of an AutoencoderKL. There its attention weights have the shape
    of 1x1 convolutions."""
    blocks = 1 + max(int(m["block"]) for key in keys if (m := _BLOCK.search(key)))
    return {key: prefix + _vae_name(key, blocks) for key in keys}


def text_encoder_names(keys: Iterable[str]) -> dict[str, str]:
    """The file's name of each key of a CLIPTextModel, with or without "text_model." in front."""
    return {key: f"{TEXT_ENCODER}text_model.{key.removeprefix('text_model.')}" for key in keys}


def _unet_name(key: str, layers_per_block: int, attending: Collection[str]) -> str:
    if (match := _BLOCK.match(key)) is None:
        name = _swap_start(key, _UNET_TOP)
        return _swap_resnet(name) if ".resnets." in key else name
    block, layer, rest = int(match["block"]), int(match["layer"]), match["rest"]
    slots = layers_per_block + 1  # the last of a block's slots resamples, where there is one
    match match["way"], match["kind"]:
        case "down", "resnets":
            return f"input_blocks.{1 + slots * block + layer}.0.{_swap_resnet(rest)}"
        case "down", "attentions":
            return f"input_blocks.{1 + slots * block + layer}.1.{rest}"
        case "down", "downsamplers":
            return f"input_blocks.{slots * (block + 1)}.0.{rest.replace('conv', 'op')}"
        case "up", "resnets":
            return f"output_blocks.{slots * block + layer}.0.{_swap_resnet(rest)}"
        case "up", "attentions":
            return f"output_blocks.{slots * block + layer}.1.{rest}"
        case "up", "upsamplers":
            place = 2 if match["block"] in attending else 1
            return f"output_blocks.{slots * block + layers_per_block}.{place}.{rest}"
    raise ValueError(f"No place in the original layout for {key}.")


def _vae_name(key: str, blocks: int) -> str:
    key = _swap_anywhere(key, _VAE_PARTS)
    if (match := _BLOCK.search(key)) is None:
        return key
    half, layer, rest = key[: match.start()], match["layer"], match["rest"]
    block = int(match["block"])
    if match["way"] == "up":
        block = blocks - 1 - block  # the file counts from the picture's side
    kind = {
        "resnets": f"block.{layer}",
        "downsamplers": "downsample",
        "upsamplers": "upsample",
    }[match["kind"]]
    return f"{half}{match['way']}.{block}.{kind}.{rest}"


def _swap_start(key: str, names: MappingProxyType[str, str]) -> str:
    for ours, theirs in names.items():
        if key.startswith(f"{ours}."):
            return theirs + key[len(ours) :]
    return key


def _swap_resnet(rest: str) -> str:
    parts = rest.split(".")
    return ".".join(_UNET_RESNET.get(part, part) for part in parts)


def _swap_anywhere(key: str, names: MappingProxyType[str, str]) -> str:
    for ours, theirs in names.items():
        key = re.sub(rf"(^|\.){re.escape(ours)}\.", rf"\g<1>{theirs}.", key)
    return key
