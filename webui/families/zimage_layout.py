"""The names of Z-Image's tensors in original files, and its shapes as a file tells them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, Final

from webui.families.dit_layout import rows
from webui.families.weights import Piece

MARKS: Final = (
    "layers.0.adaLN_modulation.0.weight",
    "context_refiner.0.attention.qkv.weight",
    "cap_pad_token",
    "x_embedder.weight",
    "final_layer.linear.weight",
)
DIFFUSERS_MARKS: Final = (
    "layers.0.adaLN_modulation.0.weight",
    "context_refiner.0.attention.to_q.weight",
    "cap_pad_token",
    "all_x_embedder.2-1.weight",
    "all_final_layer.2-1.linear.weight",
)
CELLS: Final = 4
"""Of a token."""
_PLAIN: Final = MappingProxyType(
    {
        "all_x_embedder.2-1.": "x_embedder.",
        "all_final_layer.2-1.": "final_layer.",
        ".attention.norm_q.": ".attention.q_norm.",
        ".attention.norm_k.": ".attention.k_norm.",
        ".attention.to_out.0.": ".attention.out.",
    }
)


def zimage_names(keys: Collection[str], width: int, start: str = "") -> Mapping[str, str | Piece]:
    """What each key of a ZImageTransformer2DModel is in an original file, whose names begin with
    `start`."""
    return {key: _name(key, width, start) for key in keys}


def zimage_config(shape: Callable[[str], tuple[int, ...]], keys: Collection[str]) -> dict[str, Any]:
    """The settings by the shapes of an original file's tensors."""
    (width,), (head,) = shape("x_embedder.bias"), shape("layers.0.attention.q_norm.weight")
    return {
        "in_channels": shape("x_embedder.weight")[1] // CELLS,
        "dim": width,
        "n_layers": _count(keys, "layers"),
        "n_refiner_layers": _count(keys, "context_refiner"),
        "n_heads": width // head,
        "n_kv_heads": width // head,
        "cap_feat_dim": shape("cap_embedder.0.weight")[0],
        # a quarter says where in the text, or behind it, the rest where in the picture
        "axes_dims": [head // 4, head * 3 // 8, head * 3 // 8],
        "axes_lens": [1536, 512, 512],
    }


def _count(keys: Collection[str], blocks: str) -> int:
    return len({key.split(".")[1] for key in keys if key.startswith(f"{blocks}.")})


def _name(key: str, width: int, start: str) -> str | Piece:
    for place, one in enumerate("qkv"):
        if f".attention.to_{one}." in key:
            return rows(start + key.replace(f".to_{one}.", ".qkv."), place, width)
    for ours, theirs in _PLAIN.items():
        key = key.replace(ours, theirs)
    return start + key
