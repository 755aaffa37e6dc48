"""The names of Sana's tensors in original files, and its shapes as a file tells them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from math import isqrt
from types import MappingProxyType
from typing import Any, Final

from webui.families.dit_layout import renamed, rows
from webui.families.weights import Piece

MARKS: Final = (
    "attention_y_norm.weight",
    "blocks.0.cross_attn.kv_linear.weight",
    "blocks.0.mlp.depth_conv.conv.weight",
    "final_layer.scale_shift_table",
)
DIFFUSERS_MARKS: Final = ("caption_norm.weight", "transformer_blocks.0.ff.conv_depth.weight")
SPRINT_MARKS: Final = (
    "cfg_embedder.mlp.0.weight",
    "time_embed.guidance_embedder.linear_1.weight",
)
"""Of those that are told how closely to follow the prompt."""
HEAD: Final = 32
CROSS_HEADS: Final = (112, 72)
"""How wide a head is that listens, in models of 1.6 and 4.8 and in those of 0.6 billion weights."""
TABLE: Final = "pos_embed"
"""Of places, (1, n, W); used by those that were trained on pictures of 2048 and 4096 pixels."""
TABLES: Final[Mapping[int, float]] = MappingProxyType({64: 1.0, 128: 2.0})
"""By its side: how far places are apart."""
USUAL_SIDE: Final = 32
_TOP: Final = MappingProxyType(
    {
        "patch_embed.proj": "x_embedder.proj",
        "caption_projection.linear_1": "y_embedder.y_proj.fc1",
        "caption_projection.linear_2": "y_embedder.y_proj.fc2",
        "caption_norm": "attention_y_norm",
        "time_embed.emb.timestep_embedder.linear_1": "t_embedder.mlp.0",
        "time_embed.emb.timestep_embedder.linear_2": "t_embedder.mlp.2",
        "time_embed.linear": "t_block.1",
        "proj_out": "final_layer.linear",
    }
)
_BLOCK: Final = MappingProxyType(
    {
        "attn1.to_out.0": "attn.proj",
        "attn1.norm_q": "attn.q_norm",
        "attn1.norm_k": "attn.k_norm",
        "attn2.to_q": "cross_attn.q_linear",
        "attn2.to_out.0": "cross_attn.proj",
        "attn2.norm_q": "cross_attn.q_norm",
        "attn2.norm_k": "cross_attn.k_norm",
        "ff.conv_inverted": "mlp.inverted_conv.conv",
        "ff.conv_depth": "mlp.depth_conv.conv",
        "ff.conv_point": "mlp.point_conv.conv",
    }
)


def sana_names(keys: Collection[str], width: int, start: str = "") -> Mapping[str, str | Piece]:
    """What each key of a SanaTransformer2DModel is in an original file, whose names begin with
    `start`."""
    return {key: _name(key, width, start) for key in keys}


def sana_config(shape: Callable[[str], tuple[int, ...]], keys: Collection[str]) -> dict[str, Any]:
    """The settings by the shapes of an original file's tensors."""
    (width,) = shape("x_embedder.proj.bias")
    side = isqrt(shape(TABLE)[1]) if TABLE in keys else USUAL_SIDE
    cross = next((head for head in CROSS_HEADS if width % head == 0), HEAD)
    return {
        "in_channels": shape("x_embedder.proj.weight")[1],
        "out_channels": shape("final_layer.linear.bias")[0],
        "num_layers": len({key.split(".")[1] for key in keys if key.startswith("blocks.")}),
        "attention_head_dim": HEAD,
        "num_attention_heads": width // HEAD,
        "cross_attention_head_dim": cross,
        "num_cross_attention_heads": width // cross,
        "cross_attention_dim": width,
        "caption_channels": shape("y_embedder.y_proj.fc1.weight")[1],
        "mlp_ratio": shape("blocks.0.mlp.point_conv.conv.weight")[1] / width,
        "sample_size": side,
        "interpolation_scale": TABLES.get(side),
        "qk_norm": "rms_norm_across_heads" if "blocks.0.attn.q_norm.weight" in keys else None,
    }


def _name(key: str, width: int, start: str) -> str | Piece:
    if key == "scale_shift_table":
        return f"{start}final_layer.{key}"
    if not key.startswith("transformer_blocks."):
        return start + (renamed(key, _TOP) or key)
    _, block, rest = key.split(".", 2)
    before, (module, _, parameter) = f"{start}blocks.{block}.", rest.rpartition(".")
    for place, one in enumerate("qkv"):
        if module == f"attn1.to_{one}":
            return rows(f"{before}attn.qkv.{parameter}", place, width)
    for place, one in enumerate("kv"):
        if module == f"attn2.to_{one}":
            return rows(f"{before}cross_attn.kv_linear.{parameter}", place, width)
    return before + (f"{_BLOCK[module]}.{parameter}" if module else rest)
