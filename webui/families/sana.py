"""Sana, from diffusers folders."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final

from webui.core.model import Defaults, Detected, Header, ModelInfo
from webui.families.components import Shift
from webui.families.dit_family import TransformerFamily
from webui.families.dit_plan import Kind, Network, Plan
from webui.families.lumina2 import GEMMA_READER

PLAIN: Final = ""
SPRINT: Final = "sprint"
OTHER: Final = "other"
SHIFT: Final = Shift(value=3.0)
MARKS: Final = ("caption_norm.weight", "transformer_blocks.0.ff.conv_depth.weight")
NOTES: Final = (
    "Sana reads brackets around words, as in (red:1.2), as if they were not there, and has no "
    "clip skip.",
)


def _make(config: dict[str, Any]) -> Any:
    from diffusers.models.transformers.sana_transformer import SanaTransformer2DModel

    return SanaTransformer2DModel.from_config(config)


def _settings(shape: Callable[[str], tuple[int, ...]], keys: Collection[str]) -> dict[str, Any]:
    """Folders say them all."""
    return {}


def _names(keys: Collection[str], width: int, start: str = "") -> Mapping[str, str]:
    return {key: start + key for key in keys}


PLAN: Final = Plan(
    network=Network(
        marks=MARKS,
        diffusers_marks=MARKS,
        make=_make,
        settings=_settings,
        names=_names,
        width="caption_norm.weight",
        inner="config.cross_attention_dim",
    ),
    readers=(GEMMA_READER,),
    vae={},
)


class Sana(TransformerFamily):
    """The family. Its other layouts are not known."""

    id = "sana"
    label = "Sana"
    latents = "dcae"

    def detect(self, header: Header, metadata: Mapping[str, str]) -> Detected | None:
        """None: single files are not read."""
        return None

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
