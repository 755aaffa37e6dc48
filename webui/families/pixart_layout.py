"""The names of PixArt's tensors in original files, and its shapes as a file tells them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from math import isqrt
from types import MappingProxyType
from typing import Any, Final

from webui.families.dit_layout import renamed, rows
from webui.families.weights import Piece

MARKS: Final = (
    "t_block.1.weight",
    "y_embedder.y_proj.fc1.weight",
    "blocks.0.cross_attn.kv_linear.bias",
    "blocks.0.mlp.fc1.weight",
    "final_layer.scale_shift_table",
)
DIFFUSERS_MARKS: Final = (
    "adaln_single.linear.weight",
    "caption_projection.linear_1.weight",
    "transformer_blocks.0.attn2.to_k.bias",
    "transformer_blocks.0.ff.net.0.proj.weight",
    "pos_embed.proj.weight",
)
SIDE: Final = 2
"""Cells along one side of a token."""
HEAD: Final = 72
USUAL_SIZE: Final = 128
"""Cells along a side of the pictures of its training, where the file does not say: 1024 pixels."""
SIZED: Final = "csize_embedder.mlp.0.weight"
"""Of those that are told how large the picture is."""
_TOP: Final = MappingProxyType(
    {
        "pos_embed.proj": "x_embedder.proj",
        "caption_projection.linear_1": "y_embedder.y_proj.fc1",
        "caption_projection.linear_2": "y_embedder.y_proj.fc2",
        **{
            f"adaln_single.emb.{ours}_embedder.linear_{place}": f"{theirs}_embedder.mlp.{layer}"
            for ours, theirs in (("timestep", "t"), ("resolution", "csize"), ("aspect_ratio", "ar"))
            for place, layer in ((1, 0), (2, 2))
        },
        "adaln_single.linear": "t_block.1",
        "proj_out": "final_layer.linear",
    }
)
_BLOCK: Final = MappingProxyType(
    {
        "attn1.to_out.0": "attn.proj",
        "attn2.to_q": "cross_attn.q_linear",
        "attn2.to_out.0": "cross_attn.proj",
        "ff.net.0.proj": "mlp.fc1",
        "ff.net.2": "mlp.fc2",
    }
)


def pixart_names(keys: Collection[str], width: int, start: str = "") -> Mapping[str, str | Piece]:
    """What each key of a PixArtTransformer2DModel is in an original file, whose names begin with
    `start`."""
    return {key: _name(key, width, start) for key in keys}


def pixart_config(shape: Callable[[str], tuple[int, ...]], keys: Collection[str]) -> dict[str, Any]:
    """The settings by the shapes of an original file's tensors."""
    (width,) = shape("x_embedder.proj.bias")
    size = SIDE * isqrt(shape("pos_embed")[1]) if "pos_embed" in keys else USUAL_SIZE
    return {
        "in_channels": shape("x_embedder.proj.weight")[1],
        "out_channels": shape("final_layer.linear.bias")[0] // SIDE**2,
        "num_layers": len({key.split(".")[1] for key in keys if key.startswith("blocks.")}),
        "attention_head_dim": HEAD,
        "num_attention_heads": width // HEAD,
        "cross_attention_dim": width,
        "caption_channels": shape("y_embedder.y_proj.fc1.weight")[1],
        "sample_size": size,
        "use_additional_conditions": SIZED in keys,
    }


def _name(key: str, width: int, start: str) -> str | Piece:
    if key == "scale_shift_table":
        return f"{start}final_layer.{key}"
    if not key.startswith("transformer_blocks."):
        if (name := renamed(key, _TOP)) is None:
            raise ValueError(f"No place in the original layout for {key}.")
        return start + name
    _, block, rest = key.split(".", 2)
    before, (module, _, parameter) = f"{start}blocks.{block}.", rest.rpartition(".")
    for place, one in enumerate("qkv"):
        if module == f"attn1.to_{one}":
            return rows(f"{before}attn.qkv.{parameter}", place, width)
    for place, one in enumerate("kv"):
        if module == f"attn2.to_{one}":
            return rows(f"{before}cross_attn.kv_linear.{parameter}", place, width)
    return before + (f"{_BLOCK[module]}.{parameter}" if module else rest)
