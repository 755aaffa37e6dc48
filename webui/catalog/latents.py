"""Which kind of latents a VAE or a preview decoder reads, by the shapes of its first layer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

from webui.core.model import Header

PREFIXES: Final = ("", "first_stage_model.", "vae.")
FIRST_LAYERS: Final = ("decoder.conv_in.weight", "decoder.conv1.weight")
"""(width, channels, 3, 3), with one number more for those that were trained on films. The second
name is that of Wan's and Qwen's own files."""
LAST_LAYERS: Final = (
    "decoder.conv_out.weight",
    "decoder.head.2.weight",
    "decoder.conv_out.conv.weight",
)
PREVIEW_LAYERS: Final = ("1.weight", "decoder.layers.0.weight")
PICTURE_VAES: Final[Mapping[int, str]] = MappingProxyType({4: "sd", 16: "flux16", 32: "flux2"})
FILM_VAES: Final[Mapping[int, str]] = MappingProxyType({16: "qwen"})
DEEP_WIDTH: Final = 1024
"""Of Sana's autoencoder, which makes pictures 32 times smaller."""
LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "sd": "SD 1.5, SD 2 and SDXL",
        "flux16": "SD 3, Flux and Chroma",
        "flux2": "Flux.2",
        "qwen": "Qwen-Image",
        "dcae": "Sana",
    }
)
"""The models whose latents they are."""


def is_vae(names: Collection[str]) -> bool:
    """Whether these are the names of a VAE's tensors, with or without those of other parts."""
    return any(
        f"{prefix}{first}" in names and f"{prefix}{last}" in names
        for prefix in PREFIXES
        for first in FIRST_LAYERS
        for last in LAST_LAYERS
    )


def vae_variant(header: Header) -> str:
    """The latents that a VAE reads: "sd", "flux16"; empty for those of no model we know. Those of
    SD 1.5 and SDXL have the same shapes."""
    for key in (f"{prefix}{layer}" for prefix in PREFIXES for layer in FIRST_LAYERS):
        if key in header:
            return _variant(header[key].shape)
    return ""


def preview_variant(header: Header) -> str:
    """As `vae_variant`, of a small decoder for previews."""
    first = next((header[key] for key in PREVIEW_LAYERS if key in header), None)
    return PICTURE_VAES.get(first.shape[1], "") if first and len(first.shape) > 1 else ""


def _variant(shape: tuple[int, ...]) -> str:
    if len(shape) == 5:
        return FILM_VAES.get(shape[1], "")
    if len(shape) != 4:
        return ""
    return "dcae" if shape[0] >= DEEP_WIDTH else PICTURE_VAES.get(shape[1], "")
