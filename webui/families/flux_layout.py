"""The names of Flux.1's and Chroma's tensors in original files, and their shapes as a file tells
them. Chroma is a Flux whose modulations come from one small network of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, Final

from webui.families.dit_layout import renamed, rows, swapped
from webui.families.weights import Piece

FLUX_MARKS: Final = (
    "double_blocks.0.img_mod.lin.weight",
    "single_blocks.0.linear1.weight",
    "vector_in.in_layer.weight",
    "final_layer.linear.weight",
)
"""Tensors that only this network has together: Flux.2 has no modulation in each block, ControlNets
have no last layer."""
CHROMA_MARKS: Final = (
    "distilled_guidance_layer.in_proj.weight",
    "double_blocks.0.img_attn.qkv.weight",
    "single_blocks.0.linear1.weight",
    "img_in.weight",
)
FLUX_DIFFUSERS_MARKS: Final = (
    "transformer_blocks.0.norm1_context.linear.weight",
    "single_transformer_blocks.0.proj_mlp.weight",
    "time_text_embed.text_embedder.linear_1.weight",
    "proj_out.weight",
)
CHROMA_DIFFUSERS_MARKS: Final = (
    "distilled_guidance_layer.layers.0.linear_1.weight",
    "single_transformer_blocks.0.proj_mlp.weight",
)
MLP_RATIO: Final = 4

_TOP: Final = MappingProxyType(
    {
        "time_text_embed.timestep_embedder.linear_1": "time_in.in_layer",
        "time_text_embed.timestep_embedder.linear_2": "time_in.out_layer",
        "time_text_embed.text_embedder.linear_1": "vector_in.in_layer",
        "time_text_embed.text_embedder.linear_2": "vector_in.out_layer",
        "time_text_embed.guidance_embedder.linear_1": "guidance_in.in_layer",
        "time_text_embed.guidance_embedder.linear_2": "guidance_in.out_layer",
        "context_embedder": "txt_in",
        "x_embedder": "img_in",
        "proj_out": "final_layer.linear",
        "distilled_guidance_layer.in_proj": "distilled_guidance_layer.in_proj",
        "distilled_guidance_layer.out_proj": "distilled_guidance_layer.out_proj",
    }
)
_DOUBLE: Final = MappingProxyType(
    {
        "norm1.linear": "img_mod.lin",
        "norm1_context.linear": "txt_mod.lin",
        "attn.to_out.0": "img_attn.proj",
        "attn.to_add_out": "txt_attn.proj",
        "ff.net.0.proj": "img_mlp.0",
        "ff.net.2": "img_mlp.2",
        "ff_context.net.0.proj": "txt_mlp.0",
        "ff_context.net.2": "txt_mlp.2",
    }
)
_SINGLE: Final = MappingProxyType({"norm.linear": "modulation.lin", "proj_out": "linear2"})
_NORMS: Final = MappingProxyType(
    {
        "attn.norm_q": "norm.query_norm.scale",
        "attn.norm_k": "norm.key_norm.scale",
    }
)
_KEY: Final = re.compile(
    r"(?P<single>single_)?transformer_blocks\.(?P<block>\d+)\.(?P<module>.+)\.(?P<parameter>\w+)"
)
_GUIDING: Final = re.compile(r"(distilled_guidance_layer\.)(layers|norms)\.(\d+)\.(.+)")


def flux_names(keys: Collection[str], width: int, start: str = "") -> Mapping[str, str | Piece]:
    """What each key of a FluxTransformer2DModel or a ChromaTransformer2DModel is in an original
    file, whose names begin with `start`."""
    return {key: _name(key, width, start) for key in keys}


def flux_config(shape: Callable[[str], tuple[int, ...]], keys: Collection[str]) -> dict[str, Any]:
    """The settings that both have, by the shapes of an original file's tensors. `keys` and what
    `shape` is asked for are without a start."""
    (width,), (head,) = shape("img_in.bias"), shape("double_blocks.0.img_attn.norm.key_norm.scale")
    return {
        "patch_size": 1,
        "in_channels": shape("img_in.weight")[1],
        "out_channels": shape("final_layer.linear.bias")[0],
        "num_layers": _count(keys, "double_blocks"),
        "num_single_layers": _count(keys, "single_blocks"),
        "attention_head_dim": head,
        "num_attention_heads": width // head,
        "joint_attention_dim": shape("txt_in.weight")[1],
        # an eighth says which picture it is, the rest where in it: 16, 56, 56 of 128
        "axes_dims_rope": [head // 8, head * 7 // 16, head * 7 // 16],
    }


def guidance_config(
    shape: Callable[[str], tuple[int, ...]], keys: Collection[str]
) -> dict[str, Any]:
    """What Chroma has instead of Flux's modulations."""
    hidden, channels = shape("distilled_guidance_layer.in_proj.weight")
    return {
        "approximator_num_channels": channels,
        "approximator_hidden_dim": hidden,
        "approximator_layers": _count(keys, "distilled_guidance_layer.layers"),
    }


def _count(keys: Collection[str], blocks: str) -> int:
    pattern = re.compile(re.escape(blocks) + r"\.(\d+)\.")
    return len({found[1] for key in keys if (found := pattern.match(key))})


def _name(key: str, width: int, start: str) -> str | Piece:
    if (found := _KEY.match(key)) is not None:
        before = f"{start}{'single' if found['single'] else 'double'}_blocks.{found['block']}."
        in_block = _in_single if found["single"] else _in_double
        return in_block(before, found["module"], found["parameter"], width)
    if (guiding := _GUIDING.match(key)) is not None:
        return start + _guiding(*guiding.groups())
    if key.startswith("norm_out.linear."):
        return swapped(f"{start}final_layer.adaLN_modulation.1.{key.rpartition('.')[2]}")
    if (name := renamed(key, _TOP)) is None:
        raise ValueError(f"No place in the original layout for {key}.")
    return start + name


def _in_double(before: str, module: str, parameter: str, width: int) -> str | Piece:
    for place, one in enumerate("qkv"):
        if module == f"attn.to_{one}":
            return rows(f"{before}img_attn.qkv.{parameter}", place, width)
        if module == f"attn.add_{one}_proj":
            return rows(f"{before}txt_attn.qkv.{parameter}", place, width)
    if (plain := module.replace("norm_added_", "norm_")) in _NORMS:
        stream = "img" if plain == module else "txt"
        return f"{before}{stream}_attn.{_NORMS[plain]}"
    return f"{before}{_DOUBLE[module]}.{parameter}"


def _in_single(before: str, module: str, parameter: str, width: int) -> str | Piece:
    fused = f"{before}linear1.{parameter}"
    for place, one in enumerate("qkv"):
        if module == f"attn.to_{one}":
            return rows(fused, place, width)
    if module == "proj_mlp":
        return rows(fused, 3, width, MLP_RATIO)
    if module in _NORMS:
        return before + _NORMS[module]
    return f"{before}{_SINGLE[module]}.{parameter}"


def _guiding(before: str, kind: str, number: str, rest: str) -> str:
    if kind == "norms":
        return f"{before}norms.{number}.scale"
    module, _, parameter = rest.partition(".")
    layer = {"linear_1": "in_layer", "linear_2": "out_layer"}[module]
    return f"{before}layers.{number}.{layer}.{parameter}"
