"""Z-Image and Z-Image Turbo."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from webui.core.model import Defaults, ModelInfo
from webui.families.components import Shift
from webui.families.dit_family import TransformerFamily, said
from webui.families.dit_loading import SCHEDULER
from webui.families.dit_plan import Kind, Network, Plan, Reader
from webui.families.flux import LATENTS
from webui.families.language_model import QWEN3
from webui.families.language_tokenizer import QWEN as QWEN_TOKENIZER
from webui.families.zimage_layout import DIFFUSERS_MARKS, MARKS, zimage_config, zimage_names

BASE: Final = "base"
TURBO: Final = "turbo"
SHIFTS: Final = MappingProxyType({TURBO: Shift(value=3.0), BASE: Shift(value=6.0)})
BASE_SHIFT: Final = 6.0
MOST_TOKENS: Final = 1016
"""Of a prompt, without what stands around it."""
NOTES: Final = (
    "Z-Image reads brackets around words, as in (red:1.2), as if they were not there, and has no "
    "clip skip.",
)


def _make(config: dict[str, Any]) -> Any:
    from diffusers.models.transformers.transformer_z_image import ZImageTransformer2DModel

    return ZImageTransformer2DModel.from_config(config)


PLAN: Final = Plan(
    network=Network(
        marks=MARKS,
        diffusers_marks=DIFFUSERS_MARKS,
        make=_make,
        settings=zimage_config,
        names=zimage_names,
        width="x_embedder.bias",
        inner="dim",
    ),
    readers=(
        Reader(
            name="text_encoder",
            part=QWEN3,
            label="Qwen3 4B",
            files="qwen_3_4b.safetensors",
        ),
    ),
    vae=LATENTS,
)


class ZImage(TransformerFamily):
    """The family."""

    id = "zimage"
    label = "Z-Image"
    hears_weights = False

    def variant(self, header: Mapping[str, tuple[int, ...]], metadata: Mapping[str, str]) -> str:
        """By what its maker wrote, for the shapes are the same; turbo, as most files are."""
        words = said(metadata)
        return BASE if "z-image" in words.replace("_", "-") and TURBO not in words else TURBO

    def folder_variant(self, model_index: Mapping[str, object], folder: Path) -> str | None:
        """By its pipeline; by how far its steps lean."""
        if not str(model_index.get("_class_name")).startswith("ZImage"):
            return None
        try:
            told = json.loads((folder / SCHEDULER).read_text("utf-8"))
            return BASE if float(told.get("shift", 0)) >= BASE_SHIFT else TURBO
        except (OSError, ValueError, TypeError, AttributeError):
            return TURBO

    def kind(self, variant: str) -> Kind:
        """How it is asked, and how its steps lean."""
        return Kind(architecture="zimage", shift=SHIFTS[variant], notes=NOTES)

    def reading(self, variant: str) -> tuple[Path, int]:
        """By Qwen's vocabulary, all at once."""
        return QWEN_TOKENIZER, MOST_TOKENS

    def defaults(self, model: ModelInfo) -> Defaults:
        """As its makers advise; their guidance scale counts from 0, ours from 1."""
        is_turbo = model.variant != BASE
        return Defaults(
            width=1024,
            height=1024,
            steps=8 if is_turbo else 28,
            guidance_scale=1.0 if is_turbo else 5.0,
            sampler="euler",
            schedule="simple",
        )


FAMILY: Final = ZImage(PLAN)
