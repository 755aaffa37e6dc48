"""The names of Flux.2's tensors in original files, and its shapes as a file tells them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, Final

from webui.families.dit_layout import renamed, rows, swapped
from webui.families.weights import Piece

MARKS: Final = (
    "double_stream_modulation_img.lin.weight",
    "single_blocks.0.linear1.weight",
    "img_in.weight",
    "final_layer.linear.weight",
)
DIFFUSERS_MARKS: Final = (
    "double_stream_modulation_img.linear.weight",
    "single_transformer_blocks.0.attn.to_qkv_mlp_proj.weight",
    "x_embedder.weight",
    "proj_out.weight",
)
_TOP: Final = MappingProxyType(
    {
        "x_embedder": "img_in",
        "context_embedder": "txt_in",
        "time_guidance_embed.timestep_embedder.linear_1": "time_in.in_layer",
        "time_guidance_embed.timestep_embedder.linear_2": "time_in.out_layer",
        "time_guidance_embed.guidance_embedder.linear_1": "guidance_in.in_layer",
        "time_guidance_embed.guidance_embedder.linear_2": "guidance_in.out_layer",
        "double_stream_modulation_img.linear": "double_stream_modulation_img.lin",
        "double_stream_modulation_txt.linear": "double_stream_modulation_txt.lin",
        "single_stream_modulation.linear": "single_stream_modulation.lin",
        "proj_out": "final_layer.linear",
    }
)
_DOUBLE: Final = MappingProxyType(
    {
        "attn.norm_q": "img_attn.norm.query_norm",
        "attn.norm_k": "img_attn.norm.key_norm",
        "attn.norm_added_q": "txt_attn.norm.query_norm",
        "attn.norm_added_k": "txt_attn.norm.key_norm",
        "attn.to_out.0": "img_attn.proj",
        "attn.to_add_out": "txt_attn.proj",
        "ff.linear_in": "img_mlp.0",
        "ff.linear_out": "img_mlp.2",
        "ff_context.linear_in": "txt_mlp.0",
        "ff_context.linear_out": "txt_mlp.2",
    }
)
_SINGLE: Final = MappingProxyType(
    {
        "attn.to_qkv_mlp_proj": "linear1",
        "attn.to_out": "linear2",
        "attn.norm_q": "norm.query_norm",
        "attn.norm_k": "norm.key_norm",
    }
)
_KEY: Final = re.compile(
    r"(?P<single>single_)?transformer_blocks\.(?P<block>\d+)\.(?P<module>.+)\.(?P<parameter>\w+)"
)


def flux2_names(keys: Collection[str], width: int, start: str = "") -> Mapping[str, str | Piece]:
    """What each key of a Flux2Transformer2DModel is in an original file, whose names begin with
    `start`."""
    return {key: _name(key, width, start) for key in keys}


def flux2_config(shape: Callable[[str], tuple[int, ...]], keys: Collection[str]) -> dict[str, Any]:
    """The settings by the shapes of an original file's tensors."""
    width, channels = shape("img_in.weight")
    (head,) = shape("double_blocks.0.img_attn.norm.key_norm.scale")
    return {
        "in_channels": channels,
        "num_layers": _count(keys, "double_blocks"),
        "num_single_layers": _count(keys, "single_blocks"),
        "attention_head_dim": head,
        "num_attention_heads": width // head,
        "joint_attention_dim": shape("txt_in.weight")[1],
        "timestep_guidance_channels": shape("time_in.in_layer.weight")[1],
        "mlp_ratio": shape("double_blocks.0.img_mlp.2.weight")[1] / width,
        "axes_dims_rope": [head // 4] * 4,
        "guidance_embeds": "guidance_in.in_layer.weight" in keys,
    }


def _count(keys: Collection[str], blocks: str) -> int:
    return len({key.split(".")[1] for key in keys if key.startswith(f"{blocks}.")})


def _name(key: str, width: int, start: str) -> str | Piece:
    if (found := _KEY.match(key)) is not None:
        kind = "single" if found["single"] else "double"
        before, module = f"{start}{kind}_blocks.{found['block']}.", found["module"]
        for place, one in enumerate("qkv"):
            if module == f"attn.to_{one}":
                return rows(f"{before}img_attn.qkv.{found['parameter']}", place, width)
            if module == f"attn.add_{one}_proj":
                return rows(f"{before}txt_attn.qkv.{found['parameter']}", place, width)
        name = (_SINGLE if found["single"] else _DOUBLE)[module]
        return before + name + (".scale" if "norm." in name else f".{found['parameter']}")
    if key.startswith("norm_out.linear."):
        return swapped(f"{start}final_layer.adaLN_modulation.1.{key.rpartition('.')[2]}")
    if (name_ := renamed(key, _TOP)) is None:
        raise ValueError(f"No place in the original layout for {key}.")
    return start + name_
