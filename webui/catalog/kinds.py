"""What a model file is, told by the names and shapes of its tensors, never by its own name.

Only where the tensors leave it open does the folder decide, by the names that A1111 uses.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from webui.catalog.latents import is_vae, preview_variant, vae_variant
from webui.catalog.strangers import has_diffusion_model
from webui.catalog.text_encoders import text_encoder_of
from webui.catalog.widths import FAMILY_OF_WIDTH
from webui.core.model import Header, ModelKind
from webui.networks.keys import is_network

UPSCALER_FOLDERS: Final = frozenset(
    {"esrgan", "realesrgan", "swinir", "scunet", "dat", "hat", "upscalers", "upscale_models"}
)

UPSCALER_MARKS: Final = (
    ".RDB1.conv1.0.weight",
    ".rdb1.conv1.weight",
    "conv_first.weight",
    "upsampler.0.weight",
    "params_ema",
    *("block_1.c1_r.sk.weight", "m_head.0.weight", "feats.1.lk.conv.weight"),  # SPAN, SCUNet, PLKSR
    *("feats.0.safm.aggr.weight", "gblocks.1.fc1.weight"),  # SAFMN, MoSR
    *("residual_layer.0.residual_layer.0.layer.0.fn.0.weight", "unet1.conv1_down.weight"),
)
"""Names of spandrel's detection, the last two of OmniSR and RealCUGAN."""
EMBEDDING_NAMES: Final = frozenset({"emb_params", "clip_l", "clip_g", "string_to_param"})
MAX_VECTORS: Final = 1000
CONTEXT_KEYS: Final = ("attn2_to_k", "attn2.to_k", "attn2_to_v", "attn2.to_v")
DOWN_ENDINGS: Final = (
    ".lora_down.weight",
    ".lora.down.weight",
    ".lora_A.weight",
    ".hada_w1_b",
    ".diff",
)
TRANSFORMER_MARKS: Final = (
    ("single_blocks_0_", "flux"),
    ("single_blocks.0.", "flux"),
    ("single_transformer_blocks.0.", "flux"),
    ("single_transformer_blocks_0_", "flux"),
    ("double_blocks.0.processor.", "flux"),
    ("joint_blocks", "sd3"),
    ("transformer_blocks.0.img_mod", "qwen"),
    ("transformer_blocks_0_img_m", "qwen"),
    ("transformer_blocks.0.img_m", "qwen"),
)
"""What only the layers of one family are called, in networks made for it. Flux.2 shares those of
Flux, see below."""
FLUX2_MARKS: Final = ("to_qkv_mlp_proj", "stream_modulation")
FUSED_MARKS: Final = ("single_blocks.0.linear1.", "single_blocks_0_linear1.")
FUSED_ROWS: Final = 21504
"""Of that layer in Flux; in Flux.2 it has more."""
UP_ENDINGS: Final = (".lora_up.weight", ".lora_B.weight", ".diff")
READER_MARKS: Final = ("layers.0.attention.", "layers_0_attention_")
READERS: Final = MappingProxyType({3840: "zimage", 2304: "lumina2"})
"""Families whose layers are called so, by their width."""


@dataclass(frozen=True, kw_only=True)
class Recognised:
    """What a file is, checkpoints left out. `family` is the one it was made for, `variant` tells
    text encoders and VAEs apart; both are empty where nothing tells."""

    kind: ModelKind
    family: str = ""
    variant: str = ""


def look_at(header: Header, folders: Iterable[str]) -> Recognised | None:
    """What a file with this header is; None if it can't be told. `folders` are the names of those
    it lies in."""
    kind = kind_of(header, folders)
    if kind is None:
        return None
    return Recognised(kind=kind, family=family_of(kind, header), variant=variant_of(kind, header))


def kind_of(header: Header, folders: Iterable[str]) -> ModelKind | None:
    """What a safetensors file is, checkpoints left out; None if it can't be told. `folders` are
    the names of those it lies in."""
    if is_network(header):
        return ModelKind.LORA
    if _is_preview(header):
        return ModelKind.PREVIEW
    if has_diffusion_model(header):
        return None  # a whole model of a family we don't know, with VAE and text encoders in it
    if is_vae(header):
        return ModelKind.VAE
    if text_encoder_of(header):
        return ModelKind.TEXT_ENCODER
    if _is_embedding(header):
        return ModelKind.EMBEDDING
    if _is_upscaler(header) or _lie_in(folders, UPSCALER_FOLDERS):
        return ModelKind.UPSCALER
    return None


def family_of(kind: ModelKind, header: Header) -> str:
    """The family that a file was made for, as far as its shapes tell; else empty."""
    if kind is ModelKind.EMBEDDING:
        if "clip_g" in header:
            return "sdxl"
        widths = {tensor.shape[-1] for tensor in header.values() if tensor.shape}
        return FAMILY_OF_WIDTH.get(max(widths, default=0), "")
    if kind is ModelKind.LORA:
        return _family_of_network(header)
    return ""


def variant_of(kind: ModelKind, header: Header) -> str:
    """Which text encoder a file is, or which latents a VAE reads; empty where nothing tells."""
    if kind is ModelKind.TEXT_ENCODER:
        return text_encoder_of(header) or ""
    if kind is ModelKind.VAE:
        return vae_variant(header)
    return preview_variant(header) if kind is ModelKind.PREVIEW else ""


def _family_of_network(header: Header) -> str:
    for key, tensor in header.items():
        if any(part in key for part in CONTEXT_KEYS) and key.endswith(DOWN_ENDINGS):
            return FAMILY_OF_WIDTH.get(tensor.shape[1], "") if len(tensor.shape) > 1 else ""
    for key in header:
        for mark, family in TRANSFORMER_MARKS:
            if mark in key:
                return "flux2" if family == "flux" and _is_flux2(header) else family
    if family := _family_of_reader(header):
        return family
    return "sdxl" if any(key.startswith(("lora_te2_", "text_encoder_2.")) for key in header) else ""


def _is_flux2(header: Header) -> bool:
    if any(mark in key for key in header for mark in FLUX2_MARKS):
        return True
    fused = (
        tensor.shape[0]
        for key, tensor in header.items()
        if any(mark in key for mark in FUSED_MARKS) and key.endswith(UP_ENDINGS) and tensor.shape
    )
    return next(fused, FUSED_ROWS) != FUSED_ROWS


def _family_of_reader(header: Header) -> str:
    """Of the families that read with a language model and have one kind of layers."""
    for key, tensor in header.items():
        is_inner = any(mark in key for mark in READER_MARKS) and key.endswith(DOWN_ENDINGS)
        if is_inner and len(tensor.shape) > 1 and tensor.shape[1] in READERS:
            return READERS[tensor.shape[1]]
    return ""


def _is_preview(header: Header) -> bool:
    return "decoder.layers.0.weight" in header or _is_original_taesd(header)


def _is_original_taesd(names: Collection[str]) -> bool:
    """The decoder as its author published it: a numbered row of layers, the first a clamp that
    has no weights. The encoder's row begins with a convolution."""
    return "1.weight" in names and "3.conv.0.weight" in names and "0.weight" not in names


def _is_embedding(header: Header) -> bool:
    flat = all(len(tensor.shape) in (1, 2) for tensor in header.values())
    if not header or not flat:
        return False
    if header.keys() & EMBEDDING_NAMES:
        return True
    rows = [tensor.shape[0] for tensor in header.values() if len(tensor.shape) == 2]
    return len(header) == 1 and all(count <= MAX_VECTORS for count in rows)


def _is_upscaler(header: Header) -> bool:
    first = header.get("body.0.weight")  # the compact kind: (features, 3, 3, 3)
    is_compact = first is not None and first.shape[1:] == (3, 3, 3)
    return is_compact or any(key.endswith(UPSCALER_MARKS) for key in header)


def _lie_in(folders: Iterable[str], names: frozenset[str]) -> bool:
    return any(folder.lower() in names for folder in folders)
