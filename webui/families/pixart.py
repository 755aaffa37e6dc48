"""PixArt alpha and sigma."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from webui.core.model import Defaults, ModelInfo
from webui.families.components import Shift
from webui.families.dit_family import TransformerFamily
from webui.families.dit_loading import read_settings
from webui.families.dit_plan import Kind, Network, Plan
from webui.families.flux import T5_READER
from webui.families.pixart_layout import (
    DIFFUSERS_MARKS,
    MARKS,
    SIZED,
    pixart_config,
    pixart_names,
)

SIGMA: Final = "sigma"
ALPHA: Final = "alpha"
SMALL_ALPHA: Final = "alpha-512"
TELLING_SIZES: Final = (SIZED, "adaln_single.emb.resolution_embedder.linear_1.weight")
EMPTY_TEXT: Final = "y_embedder.y_embedding"
"""(tokens, width) in original files: 120 of alpha, 300 of sigma."""
ALPHA_TOKENS: Final = 120
ARCHITECTURES: Final = MappingProxyType(
    {SIGMA: "pixart", ALPHA: "pixart_alpha", SMALL_ALPHA: "pixart_alpha_512"}
)
FIRST_BETA, LAST_BETA, STEPS = 0.0001, 0.02, 1000
"""Of its training: the noise of each step lies on a straight line."""
BETAS: Final = tuple(
    FIRST_BETA + (LAST_BETA - FIRST_BETA) * step / (STEPS - 1) for step in range(STEPS)
)
NOTES: Final = ("PixArt has no clip skip.",)


def _make(config: dict[str, Any]) -> Any:
    from diffusers.models.transformers.pixart_transformer_2d import PixArtTransformer2DModel

    return PixArtTransformer2DModel.from_config(config)


PLAN: Final = Plan(
    network=Network(
        marks=MARKS,
        diffusers_marks=DIFFUSERS_MARKS,
        make=_make,
        settings=pixart_config,
        names=pixart_names,
        width="x_embedder.proj.bias",
    ),
    readers=(replace(T5_READER, name="text_encoder"),),
    vae={
        "in_channels": 3,
        "out_channels": 3,
        "latent_channels": 4,
        "norm_num_groups": 32,
        "sample_size": 1024,
        "scaling_factor": 0.13025,
    },
    vae_file="sdxl_vae.safetensors",
)
ALPHA_PLAN: Final = replace(
    PLAN,
    vae={**PLAN.vae, "scaling_factor": 0.18215},
    vae_file="vae-ft-mse-840000-ema-pruned.safetensors",
)


class PixArt(TransformerFamily):
    """The family."""

    id = "pixart"
    label = "PixArt"
    latents = "sd"

    def variant(self, header: Mapping[str, tuple[int, ...]], metadata: Mapping[str, str]) -> str:
        """By whether it is told sizes, and by how long a text it reads."""
        if any(key.endswith(TELLING_SIZES) for key in header):
            return ALPHA
        texts = [shape[0] for key, shape in header.items() if key.endswith(EMPTY_TEXT)]
        return SMALL_ALPHA if texts == [ALPHA_TOKENS] else SIGMA

    def folder_variant(self, model_index: Mapping[str, object], folder: Path) -> str | None:
        """By its pipeline, and by what the network's settings say."""
        pipeline = str(model_index.get("_class_name"))
        if not pipeline.startswith("PixArt"):
            return None
        if "Alpha" not in pipeline:
            return SIGMA
        told = read_settings(folder / "transformer" / "config.json")
        is_told = told.get("use_additional_conditions")
        sized = told.get("sample_size") == 128 if is_told is None else is_told
        return ALPHA if sized else SMALL_ALPHA

    def plan_of(self, variant: str) -> Plan:
        """Alpha has the VAE of Stable Diffusion 1, sigma that of XL."""
        return self.plan if variant == SIGMA else ALPHA_PLAN

    def kind(self, variant: str) -> Kind:
        """How it is asked."""
        return Kind(architecture=ARCHITECTURES[variant], shift=Shift(), notes=NOTES, betas=BETAS)

    def defaults(self, model: ModelInfo) -> Defaults:
        """As its makers advise."""
        side = 512 if model.variant == SMALL_ALPHA else 1024
        return Defaults(width=side, height=side, steps=20, guidance_scale=4.5, sampler="dpmpp_2m")


FAMILY: Final = PixArt(PLAN)
