"""Sana 1 and 1.5."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from webui.core.model import Defaults, ModelInfo
from webui.families.components import Shift
from webui.families.deep_vae import USUAL
from webui.families.dit_family import TransformerFamily
from webui.families.dit_plan import Kind, Network, Plan
from webui.families.lumina2 import GEMMA_READER
from webui.families.sana_layout import (
    DIFFUSERS_MARKS,
    MARKS,
    SPRINT_MARKS,
    sana_config,
    sana_names,
)

PLAIN: Final = ""
SPRINT: Final = "sprint"
OTHER: Final = "other"
SHIFT: Final = Shift(value=3.0)
NOTES: Final = (
    "Sana reads brackets around words, as in (red:1.2), as if they were not there, and has no "
    "clip skip.",
)


def _make(config: dict[str, Any]) -> Any:
    from diffusers.models.transformers.sana_transformer import SanaTransformer2DModel

    return SanaTransformer2DModel.from_config(config)


PLAN: Final = Plan(
    network=Network(
        marks=MARKS,
        diffusers_marks=DIFFUSERS_MARKS,
        make=_make,
        settings=sana_config,
        names=sana_names,
        width="x_embedder.proj.bias",
        inner="config.cross_attention_dim",
    ),
    readers=(GEMMA_READER,),
    vae=dict(USUAL),
    vae_file="the VAE of Sana (dc-ae-f32c32-sana, in diffusers' layout)",
)


class Sana(TransformerFamily):
    """The family."""

    id = "sana"
    label = "Sana"
    latents = "dcae"
    hears_weights = False

    def variant(self, header: Mapping[str, tuple[int, ...]], metadata: Mapping[str, str]) -> str:
        """By what it is told beside the prompt."""
        return SPRINT if any(key.endswith(SPRINT_MARKS) for key in header) else PLAIN

    def folder_variant(self, model_index: Mapping[str, object], folder: Path) -> str | None:
        """By its pipeline."""
        pipeline = str(model_index.get("_class_name"))
        if not pipeline.startswith("Sana"):
            return None
        if "Sprint" in pipeline:
            return SPRINT
        return PLAIN if pipeline in ("SanaPipeline", "SanaPAGPipeline") else OTHER

    def kind(self, variant: str) -> Kind:
        """How it is asked, and how its steps lean."""
        if variant != PLAIN:
            noun = "a Sana Sprint" if variant == SPRINT else "a Sana for films or with a ControlNet"
            raise ValueError(f"it is {noun}, which this version can't run. Choose Sana 1 or 1.5.")
        return Kind(architecture="sana", shift=SHIFT, notes=NOTES)

    def defaults(self, model: ModelInfo) -> Defaults:
        """As its makers advise."""
        return Defaults(
            width=1024,
            height=1024,
            steps=20,
            guidance_scale=4.5,
            sampler="euler",
            schedule="simple",
        )


FAMILY: Final = Sana(PLAN)
