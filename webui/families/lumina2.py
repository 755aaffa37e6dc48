"""Lumina-Image 2.0."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from webui.core.model import Defaults, ModelInfo
from webui.families.components import Shift
from webui.families.dit_family import TransformerFamily
from webui.families.dit_plan import Kind, Network, Plan, Reader
from webui.families.flux import LATENTS
from webui.families.language_model import GEMMA2
from webui.families.lumina2_layout import (
    DIFFUSERS_MARKS,
    MARKS,
    lumina2_config,
    lumina2_names,
)

SHIFT: Final = Shift(value=6.0)
PLACES: Final = (1024, 512, 512)
"""In a text and along both sides of a picture, in tokens. It was trained with 300 in a text; the
numbers of further ones go on."""
NOTES: Final = (
    "Lumina 2 reads brackets around words, as in (red:1.2), as if they were not there, and has no "
    "clip skip.",
)
GEMMA_READER: Final = Reader(
    name="text_encoder",
    part=GEMMA2,
    label="Gemma 2 2B",
    files="gemma_2_2b_fp16.safetensors",
)


def _make(config: dict[str, Any]) -> Any:
    from diffusers.models.transformers.transformer_lumina2 import Lumina2Transformer2DModel

    return Lumina2Transformer2DModel.from_config({**config, "axes_lens": PLACES})


PLAN: Final = Plan(
    network=Network(
        marks=MARKS,
        diffusers_marks=DIFFUSERS_MARKS,
        make=_make,
        settings=lumina2_config,
        names=lumina2_names,
        width="x_embedder.bias",
        inner="config.hidden_size",
    ),
    readers=(GEMMA_READER,),
    vae=LATENTS,
)


class Lumina2(TransformerFamily):
    """The family."""

    id = "lumina2"
    label = "Lumina 2"
    hears_weights = False

    def variant(self, header: Mapping[str, tuple[int, ...]], metadata: Mapping[str, str]) -> str:
        """There is one."""
        return ""

    def folder_variant(self, model_index: Mapping[str, object], folder: Path) -> str | None:
        """By its pipeline."""
        return "" if str(model_index.get("_class_name")).startswith("Lumina2") else None

    def kind(self, variant: str) -> Kind:
        """How it is asked, and how its steps lean."""
        return Kind(architecture="lumina2", shift=SHIFT, notes=NOTES)

    def defaults(self, model: ModelInfo) -> Defaults:
        """As its makers advise."""
        return Defaults(
            width=1024,
            height=1024,
            steps=30,
            guidance_scale=4.0,
            sampler="euler",
            schedule="simple",
        )


FAMILY: Final = Lumina2(PLAN)
