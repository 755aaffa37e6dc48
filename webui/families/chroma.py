"""Chroma: a Flux schnell made smaller and taught again, with guidance by a negative prompt."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from webui.core.model import Defaults, ModelInfo
from webui.families.components import Shift
from webui.families.dit_family import TransformerFamily
from webui.families.dit_plan import Kind, Network, Plan
from webui.families.flux import LATENTS, T5_READER
from webui.families.flux_layout import (
    CHROMA_DIFFUSERS_MARKS,
    CHROMA_MARKS,
    flux_config,
    flux_names,
    guidance_config,
)

SHIFT: Final = Shift(value=3.0)


def _make(config: dict[str, Any]) -> Any:
    from diffusers.models.transformers.transformer_chroma import ChromaTransformer2DModel

    return ChromaTransformer2DModel.from_config(config)


def _settings(shape: Callable[[str], tuple[int, ...]], keys: Collection[str]) -> dict[str, Any]:
    return {**flux_config(shape, keys), **guidance_config(shape, keys)}


PLAN: Final = Plan(
    network=Network(
        marks=CHROMA_MARKS,
        diffusers_marks=CHROMA_DIFFUSERS_MARKS,
        make=_make,
        settings=_settings,
        names=flux_names,
        width="img_in.bias",
    ),
    readers=(replace(T5_READER, name="text_encoder"),),
    vae=LATENTS,
)


class Chroma(TransformerFamily):
    """The family."""

    id = "chroma"
    label = "Chroma"

    def variant(self, header: Mapping[str, tuple[int, ...]], metadata: Mapping[str, str]) -> str:
        """There is one."""
        return ""

    def folder_variant(self, model_index: Mapping[str, object], folder: Path) -> str | None:
        """By its pipeline."""
        return "" if str(model_index.get("_class_name")).startswith("Chroma") else None

    def kind(self, variant: str) -> Kind:
        """How it is asked."""
        return Kind(architecture="chroma", shift=SHIFT)

    def defaults(self, model: ModelInfo) -> Defaults:
        """As its maker advises."""
        return Defaults(
            width=1024,
            height=1024,
            steps=26,
            guidance_scale=4.0,
            sampler="euler",
            schedule="simple",
        )


FAMILY: Final = Chroma(PLAN)
