"""The language models that newer families read prompts with: Qwen 3, Qwen 2.5, Gemma 2.

Where one lies in a file, and how large it is. torch and transformers are imported inside the
functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from webui.core.errors import ModelUnreadable
from webui.families.components import Placement
from webui.families.weights import TensorFiles, build

QWEN3: Final = "qwen3"
QWEN3_8B: Final = "qwen3_8b"
QWEN25: Final = "qwen25vl"
GEMMA2: Final = "gemma2"
LANGUAGE_MODELS: Final = frozenset({QWEN3, QWEN3_8B, QWEN25, GEMMA2})

FILE_STARTS: Final = (
    "model.",
    "model.language_model.",
    "language_model.model.",
    "language_model.",
    "",
)
"""What may stand before a name in a file of it alone, or in a diffusers folder; the ones between in
those that see pictures too."""
ROOT: Final = "layers.0.self_attn.q_proj.weight"
GGUF_ROOT: Final = "blk.0.attn_q.weight"
_LAYER: Final = re.compile(r"layers\.(?P<layer>\d+)\.(?P<module>.+)\.(?P<parameter>\w+)")
_GGUF_TOP: Final = MappingProxyType(
    {"embed_tokens.weight": "token_embd.weight", "norm.weight": "output_norm.weight"}
)
_GGUF_LAYER: Final = MappingProxyType(
    {
        **{f"self_attn.{one}_proj": f"attn_{one}" for one in "qkv"},
        **{f"self_attn.{one}_norm": f"attn_{one}_norm" for one in "qk"},
        "self_attn.o_proj": "attn_output",
        **{f"mlp.{one}_proj": f"ffn_{one}" for one in ("gate", "up", "down")},
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
    }
)


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """What no file tells of a language model."""

    model: str
    """Its class in transformers, without "Model"."""
    checkpoint: str
    """What whole checkpoints call it."""
    head: int
    """How wide a head of its attention is."""
    theta: float
    """Base of its positions."""
    further: Mapping[str, Any] = field(default_factory=dict)
    has_gguf: bool = True
    """Whether GGUF files hold its numbers as they are; Gemma's norms are stored plus one there."""


_QWEN3: Final = _Kind(model="Qwen3", checkpoint="qwen3_4b", head=128, theta=1e6)
KINDS: Final[Mapping[str, _Kind]] = MappingProxyType(
    {
        QWEN3: _QWEN3,
        QWEN3_8B: replace(_QWEN3, checkpoint="qwen3_8b"),
        QWEN25: _Kind(model="Qwen2", checkpoint="qwen25_7b", head=128, theta=1e6),
        GEMMA2: _Kind(model="Gemma2", checkpoint="gemma2_2b", head=256, theta=1e4, has_gguf=False),
    }
)
"""By the ids of the parts. Of Qwen 2.5 VL only what reads words: without pictures, its three kinds
of positions are one."""


def checkpoint_starts(part: str) -> tuple[str, ...]:
    """What stands before its names in whole checkpoints."""
    return (f"text_encoders.{KINDS[part].checkpoint}.transformer.model.",)


def find_language_model(names: Container[str], starts: Iterable[str]) -> str | None:
    """What stands before its names in a file; None where there is none."""
    for start in starts:
        if start + ROOT in names or start + GGUF_ROOT in names:
            return start
    return None


def load_language_model(
    files: TensorFiles, part: str, placement: Placement, starts: Iterable[str] = FILE_STARTS
) -> Any:
    """The language model in `files`, without what would write words. Raises ModelUnreadable."""
    import torch
    import transformers

    kind, start = KINDS[part], find_language_model(files, starts)
    is_gguf = start is not None and start + GGUF_ROOT in files
    if start is None or (is_gguf and not kind.has_gguf):
        raise ModelUnreadable(
            files.name,
            f"it has no {kind.model} text encoder that this version can read. Look for a "
            "safetensors version.",
        )
    if placement.dtype is torch.float16:  # beyond whose range its numbers go
        placement = replace(placement, dtype=torch.bfloat16)
    names = partial(_gguf_names if is_gguf else plain_names, start=start)
    config = getattr(transformers, f"{kind.model}Config")(**text_settings(files, kind, names))
    make: Callable[[Any], Any] = getattr(transformers, f"{kind.model}Model")
    return build(lambda: make(config), names, files, placement)


def text_settings(
    files: TensorFiles, kind: _Kind, names: Callable[..., Mapping[str, str]]
) -> dict[str, Any]:
    """What the shapes of its tensors tell. `names` gives a file's name of a key."""

    def shape(key: str) -> tuple[int, ...]:
        name = names([key])[key]
        if name not in files:
            raise ModelUnreadable(
                files.name, f"{name} is missing: it is incomplete. Download it again."
            )
        return files.shape(name)

    words, width = shape("embed_tokens.weight")
    depth = 0
    while names([key := f"layers.{depth}.input_layernorm.weight"])[key] in files:
        depth += 1
    return {
        "vocab_size": words,
        "hidden_size": width,
        "intermediate_size": shape("layers.0.mlp.gate_proj.weight")[0],
        "num_hidden_layers": depth,
        "num_attention_heads": shape("layers.0.self_attn.q_proj.weight")[0] // kind.head,
        "num_key_value_heads": shape("layers.0.self_attn.k_proj.weight")[0] // kind.head,
        "head_dim": kind.head,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_type": "default", "rope_theta": kind.theta},
        "use_cache": False,
        "pad_token_id": None,
        **kind.further,
    }


def plain_names(keys: Collection[str], start: str) -> Mapping[str, str]:
    """What each key is in a file with transformers' names."""
    return {key: start + key for key in keys}


def _gguf_names(keys: Collection[str], start: str) -> Mapping[str, str]:
    return {key: start + _gguf_name(key) for key in keys}


def _gguf_name(key: str) -> str:
    if (found := _LAYER.fullmatch(key)) is None:
        return _GGUF_TOP[key]
    return f"blk.{found['layer']}.{_GGUF_LAYER[found['module']]}.{found['parameter']}"
