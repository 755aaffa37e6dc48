"""Where files of each kind are kept, here and in other programs. All are found where they lie."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from webui.core.model import ModelKind

OURS: Final[Mapping[ModelKind, str]] = MappingProxyType(
    {
        ModelKind.CHECKPOINT: "Stable-diffusion",
        ModelKind.VAE: "VAE",
        ModelKind.LORA: "Lora",
        ModelKind.EMBEDDING: "embeddings",
        ModelKind.UPSCALER: "ESRGAN",
        ModelKind.TEXT_ENCODER: "text_encoders",
        ModelKind.PREVIEW: "VAE-approx",
    }
)
"""The names that A1111 and Forge use."""
COMFYS: Final[Mapping[ModelKind, tuple[str, ...]]] = MappingProxyType(
    {
        ModelKind.CHECKPOINT: ("checkpoints", "diffusion_models", "unet"),
        ModelKind.VAE: ("vae",),
        ModelKind.LORA: ("loras",),
        ModelKind.EMBEDDING: ("embeddings",),
        ModelKind.UPSCALER: ("upscale_models",),
        ModelKind.TEXT_ENCODER: ("text_encoders", "clip"),
        ModelKind.PREVIEW: ("vae_approx",),
    }
)
OTHERS: Final[Mapping[str, ModelKind]] = MappingProxyType(
    {
        "lycoris": ModelKind.LORA,
        "text_encoder": ModelKind.TEXT_ENCODER,
        "textual_inversion": ModelKind.EMBEDDING,
        **dict.fromkeys(
            ("realesrgan", "swinir", "scunet", "dat", "hat", "upscalers"), ModelKind.UPSCALER
        ),
    }
)
"""Further names, in small letters."""
KINDS: Final[Mapping[str, ModelKind]] = MappingProxyType(
    {
        **OTHERS,
        **{name.lower(): kind for kind, names in COMFYS.items() for name in names},
        **{name.lower(): kind for kind, name in OURS.items()},
    }
)


def better_home(kind: ModelKind, folder: str) -> str:
    """The folder that a file of this kind belongs into when `folder`, where it lies, is meant for
    another kind; empty where it may stay."""
    meant = [(name, KINDS[name.lower()]) for name in folder.split("/") if name.lower() in KINDS]
    if not meant or any(other is kind for _, other in meant):
        return ""
    name, other = meant[-1]
    return COMFYS[kind][0] if name in COMFYS[other] and name != OURS[other] else OURS[kind]
