"""Which text encoder a file is: by the names of its layers, its width and its vocabulary.

Read are the original names of transformers and OpenCLIP, and those of GGUF files.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from webui.core.model import Header

CLIP_EMBEDDING: Final = "token_embedding.weight"
"""(words, width) in every text encoder of CLIP, in either layout."""
CLIP_LAYERS: Final = ("encoder.layers.0.self_attn.q_proj.", "transformer.resblocks.0.attn.")
CLIP_WIDTHS: Final[Mapping[int, str]] = MappingProxyType(
    {768: "clip_l", 1280: "clip_g", 1024: "clip_h"}
)

T5_NORMS: Final = ("encoder.block.0.layer.0.layer_norm.weight", "enc.blk.0.attn_norm.weight")
T5_EMBEDDINGS: Final = ("shared.weight", "encoder.embed_tokens.weight", "token_embd.weight")
T5_SIZES: Final[Mapping[int, str]] = MappingProxyType(
    {512: "small", 768: "base", 1024: "large", 2048: "xl", 4096: "xxl"}
)
UMT5_WORDS: Final = 100_000
"""T5 knows 32,128 words; its sister for many languages 256,384."""

LANGUAGE_EMBEDDINGS: Final = (
    "model.embed_tokens.weight",
    "model.language_model.embed_tokens.weight",
    "language_model.model.embed_tokens.weight",
    "embed_tokens.weight",
    "token_embd.weight",
)
"""(words, width). The encoders of language models, also those that see pictures."""
GEMMA_NORMS: Final = (".post_feedforward_layernorm.weight", ".post_ffw_norm.weight")
QUERY_NORMS: Final = (".self_attn.q_norm.weight", ".attn_q_norm.weight")
QUERY_BIASES: Final = (".self_attn.q_proj.bias", ".attn_q.bias")
FIRST_LAYERS: Final = ("layers.0", "blk.0")
QWEN3_WIDTHS: Final[Mapping[int, str]] = MappingProxyType(
    {2560: "qwen3", 4096: "qwen3_8b", 2048: "qwen3_1.7b", 1024: "qwen3_0.6b"}
)
QWEN25_WIDTHS: Final[Mapping[int, str]] = MappingProxyType({3584: "qwen25vl", 2048: "qwen25vl_3b"})
GEMMA_WIDTHS: Final[Mapping[int, str]] = MappingProxyType({2304: "gemma2", 3584: "gemma2_9b"})

LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "clip_l": "CLIP-L",
        "clip_g": "CLIP-G",
        "clip_h": "OpenCLIP-H",
        **{f"t5{size}": f"T5-{size.upper()}" for size in T5_SIZES.values()},
        **{f"umt5{size}": f"UMT5-{size.upper()}" for size in T5_SIZES.values()},
        "gemma2": "Gemma 2 2B",
        "gemma2_9b": "Gemma 2 9B",
        "gemma3": "Gemma 3",
        "qwen25vl": "Qwen2.5-VL 7B",
        "qwen25vl_3b": "Qwen2.5-VL 3B",
        "qwen3": "Qwen3 4B",
        "qwen3vl": "Qwen3-VL",
        "qwen3_8b": "Qwen3 8B",
        "qwen3_1.7b": "Qwen3 1.7B",
        "qwen3_0.6b": "Qwen3 0.6B",
    }
)
"""How people call them, by variant."""


def text_encoder_of(header: Header) -> str | None:
    """The variant of the text encoder in a file: "clip_l", "t5xxl", "qwen3"; None if it is none, or
    one that no model we know listens to."""
    return _clip(header) or _t5(header) or _language_model(header)


def _clip(header: Header) -> str | None:
    embedding = next((key for key in header if key.endswith(CLIP_EMBEDDING)), None)
    if embedding is None or not any(layer in key for key in header for layer in CLIP_LAYERS):
        return None
    return CLIP_WIDTHS.get(_width(header, embedding))


def _t5(header: Header) -> str | None:
    norm = _ending(header, T5_NORMS)
    size = T5_SIZES.get(_width(header, norm)) if norm else None
    if size is None:
        return None
    embedding = _ending(header, T5_EMBEDDINGS)
    is_many = embedding is not None and header[embedding].shape[0] > UMT5_WORDS
    return f"{'umt5' if is_many else 't5'}{size}"


def _language_model(header: Header) -> str | None:
    embedding = next((key for key in LANGUAGE_EMBEDDINGS if key in header), None)
    if embedding is None:
        return None
    width = _width(header, embedding)
    first = [key for key in header if any(f"{layer}." in key for layer in FIRST_LAYERS)]
    has_query_norm = any(key.endswith(QUERY_NORMS) for key in first)
    if any(key.endswith(GEMMA_NORMS) for key in first):
        return "gemma3" if has_query_norm else GEMMA_WIDTHS.get(width)
    if has_query_norm:
        has_eyes = any("visual." in key for key in header)
        return "qwen3vl" if has_eyes else QWEN3_WIDTHS.get(width)
    if any(key.endswith(QUERY_BIASES) for key in first):
        return QWEN25_WIDTHS.get(width)
    return None


def _ending(header: Header, names: tuple[str, ...]) -> str | None:
    """The first key that ends so: files of ComfyUI and checkpoints have prefixes."""
    return next((key for name in names for key in header if key.endswith(name)), None)


def _width(header: Header, key: str) -> int:
    shape = header[key].shape
    return shape[-1] if shape else 0
