"""T5 1.1, the text encoder of SD 3, Flux and Chroma: where it lies in a file, and its tokenizer.

torch and transformers are imported inside the functions.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from webui.core.errors import ModelUnreadable
from webui.families.components import Placement
from webui.families.weights import TensorFiles, build

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast
    from transformers.models.t5.modeling_t5 import T5Stack

TOKENIZER: Final = Path(__file__).parent / "configs" / "t5" / "tokenizer"
"""Google's vocabulary for T5 1.1 of all sizes."""
FILE_STARTS: Final = (
    "",
    "text_encoders.t5xxl.transformer.",
    "text_encoders.t5xxl.",
    "t5xxl.transformer.",
    "transformer.",
    "text_encoder_2.",
    "text_encoder_3.",
)
"""What may stand before a name in a file of it alone, or a checkpoint that lends its."""
CHECKPOINT_STARTS: Final = tuple(start for start in FILE_STARTS if "t5xxl" in start)
ROOT: Final = "encoder.block.0.layer.0.SelfAttention.q.weight"
GGUF_ROOT: Final = "enc.blk.0.attn_q.weight"
WORDS: Final = ("shared.weight", "encoder.embed_tokens.weight")
"""One table of words under two names; files have either or both."""

_GGUF_TOP: Final = MappingProxyType(
    {
        "embed_tokens.weight": "token_embd.weight",
        "final_layer_norm.weight": "enc.output_norm.weight",
    }
)
_GGUF_BLOCK: Final = MappingProxyType(
    {
        **{f"layer.0.SelfAttention.{one}": f"attn_{one}" for one in "qkvo"},
        "layer.0.SelfAttention.relative_attention_bias": "attn_rel_b",
        "layer.0.layer_norm": "attn_norm",
        "layer.1.DenseReluDense.wi_0": "ffn_gate",
        "layer.1.DenseReluDense.wi_1": "ffn_up",
        "layer.1.DenseReluDense.wo": "ffn_down",
        "layer.1.layer_norm": "ffn_norm",
    }
)
_BLOCK: Final = re.compile(r"block\.(?P<block>\d+)\.(?P<module>.+)\.weight")


def find_t5(names: Container[str], starts: Iterable[str]) -> str | None:
    """What stands before the names of the T5 in a file; None where it has none."""
    for start in starts:
        if start + ROOT in names or start + GGUF_ROOT in names:
            return start
    return None


def load_t5(
    files: TensorFiles, placement: Placement, starts: Iterable[str] = FILE_STARTS
) -> T5Stack:
    """The encoder half of the T5 in `files`; its sizes are the file's. Raises ModelUnreadable."""
    import torch
    from transformers import T5Config
    from transformers.models.t5.modeling_t5 import T5Stack

    start = find_t5(files, starts)
    if start is None:
        raise ModelUnreadable(
            files.name, "it has no T5 text encoder that this version knows. Look for another."
        )
    make_names = _gguf_names if start + GGUF_ROOT in files else _plain_names
    names = partial(make_names, files=files, start=start)
    config = T5Config(**_settings(files, names))
    if placement.dtype is torch.float16:  # beyond whose range its numbers go
        placement = replace(placement, dtype=torch.bfloat16)
    return build(lambda: T5Stack(config), names, files, placement)


def load_t5_tokenizer(name: str, folder: Path | None = None) -> PreTrainedTokenizerFast:
    """The tokenizer in a folder if it has one in a form that needs no other library, else the one
    that ships. `name` is the model's. Raises ModelUnreadable."""
    from transformers import PreTrainedTokenizerFast

    own = None if folder is None else folder / "tokenizer.json"
    try:
        tokenizer: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(
            TOKENIZER if own is None or not own.is_file() else own.parent, local_files_only=True
        )
    except (OSError, ValueError, TypeError) as error:
        raise ModelUnreadable(
            name, f"its tokenizer can't be read ({error}). Download the model again."
        ) from error
    return tokenizer


def _settings(files: TensorFiles, names: Any) -> dict[str, Any]:
    """What the shapes tell. `names` gives a file's name of a key."""

    def shape(key: str) -> tuple[int, ...]:
        return files.shape(names([key])[key])

    attention, dense = "block.0.layer.0.SelfAttention", "block.0.layer.1.DenseReluDense"
    words, width = shape("embed_tokens.weight")
    buckets, heads = shape(f"{attention}.relative_attention_bias.weight")
    depth = 0
    while names([key := f"block.{depth}.layer.0.layer_norm.weight"])[key] in files:
        depth += 1
    return {
        "vocab_size": words,
        "d_model": width,
        "d_ff": shape(f"{dense}.wi_0.weight")[0],
        "d_kv": shape(f"{attention}.q.weight")[0] // heads,
        "num_heads": heads,
        "num_layers": depth,
        "relative_attention_num_buckets": buckets,
        "feed_forward_proj": "gated-gelu",
        "is_encoder_decoder": False,
        "use_cache": False,
    }


def _plain_names(keys: Collection[str], files: TensorFiles, start: str) -> Mapping[str, str]:
    words = next((start + name for name in WORDS if start + name in files), start + WORDS[0])
    return {key: words if key == "embed_tokens.weight" else f"{start}encoder.{key}" for key in keys}


def _gguf_names(keys: Collection[str], files: TensorFiles, start: str) -> Mapping[str, str]:
    return {key: start + _gguf_name(key) for key in keys}


def _gguf_name(key: str) -> str:
    if (found := _BLOCK.fullmatch(key)) is None:
        return _GGUF_TOP[key]
    return f"enc.blk.{found['block']}.{_GGUF_BLOCK[found['module']]}.weight"
