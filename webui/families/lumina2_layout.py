"""The names of Lumina 2's tensors in original files, and its shapes as a file tells them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from webui.families.weights import Piece

MARKS: Final = (
    "layers.0.adaLN_modulation.1.weight",
    "layers.0.attention.qkv.weight",
    "cap_embedder.0.weight",
    "final_layer.linear.weight",
)
DIFFUSERS_MARKS: Final = (
    "layers.0.norm1.linear.weight",
    "layers.0.attn.norm_q.weight",
    "time_caption_embed.caption_embedder.0.weight",
    "norm_out.linear_2.weight",
)
CELLS: Final = 4
"""Of a token."""
GROUP: Final = 3
"""As many heads that ask share one that answers."""
_PLAIN: Final = (
    ("time_caption_embed.caption_embedder.", "cap_embedder."),
    ("time_caption_embed.timestep_embedder.linear_1.", "t_embedder.mlp.0."),
    ("time_caption_embed.timestep_embedder.linear_2.", "t_embedder.mlp.2."),
    ("norm_out.linear_1.", "final_layer.adaLN_modulation.1."),
    ("norm_out.linear_2.", "final_layer.linear."),
    (".norm1.linear.", ".adaLN_modulation.1."),
    (".norm1.norm.", ".attention_norm1."),
    (".norm1.", ".attention_norm1."),
    (".norm2.", ".attention_norm2."),
    (".attn.to_out.0.", ".attention.out."),
    (".attn.norm_q.", ".attention.q_norm."),
    (".attn.norm_k.", ".attention.k_norm."),
    (".feed_forward.linear_", ".feed_forward.w"),
)
_PART: Final = re.compile(r"\.attn\.to_([qkv])\.")


def lumina2_names(keys: Collection[str], width: int, start: str = "") -> Mapping[str, str | Piece]:
    """What each key of a Lumina2Transformer2DModel is in an original file, whose names begin with
    `start`."""
    return {key: _name(key, width, start) for key in keys}


def lumina2_config(
    shape: Callable[[str], tuple[int, ...]], keys: Collection[str]
) -> dict[str, Any]:
    """The settings by the shapes of an original file's tensors."""
    (width,), (head,) = shape("x_embedder.bias"), shape("layers.0.attention.q_norm.weight")
    return {
        "in_channels": shape("x_embedder.weight")[1] // CELLS,
        "hidden_size": width,
        "num_layers": _count(keys, "layers"),
        "num_refiner_layers": _count(keys, "context_refiner"),
        "num_attention_heads": width // head,
        "num_kv_heads": width // head // GROUP,
        "cap_feat_dim": shape("cap_embedder.0.weight")[0],
        "axes_dim_rope": [head // 3] * 3,
    }


def _count(keys: Collection[str], blocks: str) -> int:
    return len({key.split(".")[1] for key in keys if key.startswith(f"{blocks}.")})


def _name(key: str, width: int, start: str) -> str | Piece:
    if (found := _PART.search(key)) is not None:
        answering = width // GROUP
        begin, end = {
            "q": (0, width),
            "k": (width, width + answering),
            "v": (width + answering, width + 2 * answering),
        }[found[1]]
        return Piece(start + _PART.sub(".attention.qkv.", key), start=begin, stop=end)
    for ours, theirs in _PLAIN:
        key = key.replace(ours, theirs)
    return start + key
