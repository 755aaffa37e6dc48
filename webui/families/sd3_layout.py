"""The names of SD 3's and 3.5's tensors in original files, and its shape as the file tells it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, Final

from webui.families.dit_layout import renamed, rows, swapped
from webui.families.weights import Piece

MARKS: Final = (
    "joint_blocks.0.x_block.attn.qkv.weight",
    "x_embedder.proj.weight",
    "pos_embed",
    "final_layer.linear.weight",
)
"""Tensors that only this network has together; ControlNets for it lack the last."""
DIFFUSERS_MARKS: Final = (
    "transformer_blocks.0.attn.add_q_proj.weight",
    "pos_embed.proj.weight",
    "pos_embed.pos_embed",
    "proj_out.weight",
)
HEAD_WIDTH: Final = 64
"""In all of the series; files without query norms do not tell it."""
PATCH: Final = 2

_TOP: Final = MappingProxyType(
    {
        "pos_embed.proj": "x_embedder.proj",
        "time_text_embed.timestep_embedder.linear_1": "t_embedder.mlp.0",
        "time_text_embed.timestep_embedder.linear_2": "t_embedder.mlp.2",
        "time_text_embed.text_embedder.linear_1": "y_embedder.mlp.0",
        "time_text_embed.text_embedder.linear_2": "y_embedder.mlp.2",
        "context_embedder": "context_embedder",
        "proj_out": "final_layer.linear",
    }
)
_BLOCK: Final = MappingProxyType(
    {
        "attn.norm_q": "x_block.attn.ln_q",
        "attn.norm_k": "x_block.attn.ln_k",
        "attn.norm_added_q": "context_block.attn.ln_q",
        "attn.norm_added_k": "context_block.attn.ln_k",
        "attn.to_out.0": "x_block.attn.proj",
        "attn.to_add_out": "context_block.attn.proj",
        "attn2.norm_q": "x_block.attn2.ln_q",
        "attn2.norm_k": "x_block.attn2.ln_k",
        "attn2.to_out.0": "x_block.attn2.proj",
        "norm1.linear": "x_block.adaLN_modulation.1",
        "norm1_context.linear": "context_block.adaLN_modulation.1",
        "ff.net.0.proj": "x_block.mlp.fc1",
        "ff.net.2": "x_block.mlp.fc2",
        "ff_context.net.0.proj": "context_block.mlp.fc1",
        "ff_context.net.2": "context_block.mlp.fc2",
    }
)
_FUSED: Final[Mapping[str, tuple[str, int]]] = MappingProxyType(
    {
        **{f"attn.to_{one}": ("x_block.attn.qkv", i) for i, one in enumerate("qkv")},
        **{f"attn2.to_{one}": ("x_block.attn2.qkv", i) for i, one in enumerate("qkv")},
        **{f"attn.add_{one}_proj": ("context_block.attn.qkv", i) for i, one in enumerate("qkv")},
    }
)
_KEY: Final = re.compile(r"transformer_blocks\.(?P<block>\d+)\.(?P<module>.+)\.(?P<parameter>\w+)")


def sd3_names(keys: Collection[str], width: int, start: str = "") -> Mapping[str, str | Piece]:
    """What each key of an SD3Transformer2DModel is in an original file, whose names begin with
    `start`."""
    depth = 1 + max(int(found["block"]) for key in keys if (found := _KEY.match(key)))
    return {key: _name(key, width, start, last=depth - 1) for key in keys}


def sd3_config(shape: Callable[[str], tuple[int, ...]], keys: Collection[str]) -> dict[str, Any]:
    """The settings of an SD3Transformer2DModel, by the shapes of an original file's tensors.
    `keys` and what `shape` is asked for are without a start."""
    width, channels, patch, _ = shape("x_embedder.proj.weight")
    numbers = {int(found[1]) for key in keys if (found := re.match(r"joint_blocks\.(\d+)\.", key))}
    double = [n for n in numbers if f"joint_blocks.{n}.x_block.attn2.qkv.weight" in keys]
    has_norms = "joint_blocks.0.x_block.attn.ln_q.weight" in keys
    side = math.isqrt(shape("pos_embed")[-2])  # GGUF files leave out a first side of 1
    return {
        "sample_size": 128,
        "patch_size": patch,
        "in_channels": channels,
        "out_channels": shape("final_layer.linear.bias")[0] // patch**2,
        "num_layers": len(numbers),
        "attention_head_dim": HEAD_WIDTH,
        "num_attention_heads": width // HEAD_WIDTH,
        "joint_attention_dim": shape("context_embedder.weight")[1],
        "caption_projection_dim": width,
        "pooled_projection_dim": shape("y_embedder.mlp.0.weight")[1],
        "pos_embed_max_size": side,
        "dual_attention_layers": sorted(double),
        "qk_norm": "rms_norm" if has_norms else None,
    }


def _name(key: str, width: int, start: str, last: int) -> str | Piece:
    if (found := _KEY.match(key)) is not None:
        block, module, parameter = found["block"], found["module"], found["parameter"]
        before = f"{start}joint_blocks.{block}."
        if module in _FUSED:
            fused, place = _FUSED[module]
            return rows(f"{before}{fused}.{parameter}", place, width)
        name = f"{before}{_BLOCK[module]}.{parameter}"
        is_last_context = int(block) == last and module == "norm1_context.linear"
        return swapped(name) if is_last_context else name
    if key == "pos_embed.pos_embed":
        return f"{start}pos_embed"
    if key.startswith("norm_out.linear."):
        return swapped(f"{start}final_layer.adaLN_modulation.1.{key.rpartition('.')[2]}")
    if (plain := renamed(key, _TOP)) is None:
        raise ValueError(f"No place in the original layout for {key}.")
    return start + plain
