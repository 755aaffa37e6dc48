"""The names that a text encoder's tensors have in files of OpenCLIP. Names only.

Stable Diffusion 2 and SDXL keep theirs so. One tensor there holds queries, keys and values; the
matrix that makes the text as a whole is stored the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

from webui.families.weights import Piece

PROJECTION: Final = "text_projection"
_TOP: Final = MappingProxyType(
    {
        "embeddings.token_embedding.weight": "token_embedding.weight",
        "embeddings.position_embedding.weight": "positional_embedding",
        "final_layer_norm.weight": "ln_final.weight",
        "final_layer_norm.bias": "ln_final.bias",
    }
)
_LAYER: Final = MappingProxyType(
    {
        "self_attn.out_proj": "attn.out_proj",
        "layer_norm1": "ln_1",
        "layer_norm2": "ln_2",
        "mlp.fc1": "mlp.c_fc",
        "mlp.fc2": "mlp.c_proj",
    }
)
_ORDER: Final = ("q_proj", "k_proj", "v_proj")
_KEY: Final = re.compile(r"encoder\.layers\.(?P<layer>\d+)\.(?P<rest>.+)\.(?P<kind>weight|bias)")


def open_clip_names(keys: Iterable[str], prefix: str, width: int) -> dict[str, str | Piece]:
    """The file's name of each key of a CLIPTextModel, with or without a projection, so wide."""
    return {key: _name(key, prefix, width) for key in keys}


def _name(key: str, prefix: str, width: int) -> str | Piece:
    bare = key.removeprefix("text_model.")
    if bare == f"{PROJECTION}.weight":
        return Piece(prefix + PROJECTION, transpose=True)
    if bare in _TOP:
        return prefix + _TOP[bare]
    match = _KEY.fullmatch(bare)
    if match is None:
        raise ValueError(f"No place in OpenCLIP's layout for {key}.")
    block = f"{prefix}transformer.resblocks.{match['layer']}."
    attention, _, last = match["rest"].rpartition(".")
    if attention == "self_attn" and last in _ORDER:
        start = _ORDER.index(last) * width
        return Piece(f"{block}attn.in_proj_{match['kind']}", start, start + width)
    return f"{block}{_LAYER[match['rest']]}.{match['kind']}"
