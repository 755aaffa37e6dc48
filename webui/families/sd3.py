"""Stable Diffusion 3 and 3.5: medium, large and large turbo."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from webui.core.model import Defaults, ModelInfo
from webui.families.clip_file import OPEN_CLIP_PAD
from webui.families.components import Shift
from webui.families.dit_family import SHORT, TransformerFamily, said
from webui.families.dit_loading import read_settings
from webui.families.dit_plan import T5, Kind, Network, Plan, Reader, latent_settings
from webui.families.sd3_layout import DIFFUSERS_MARKS, MARKS, sd3_config, sd3_names
from webui.families.t5 import TOKENIZER as T5_TOKENIZER

MEDIUM: Final = "medium"
MEDIUM_35: Final = "3.5-medium"
LARGE_35: Final = "3.5-large"
TURBO_35: Final = "3.5-large-turbo"

SHIFT: Final = Shift(value=3.0)
"""Esser et al. 2024, section 5.3.2: what people liked best at 1024 pixels."""


def _make(config: dict[str, Any]) -> Any:
    """Without storage for its table of places too, which is in the file: up to 0.9 GB."""
    import torch
    from diffusers.models.transformers.transformer_sd3 import SD3Transformer2DModel

    with torch.device("meta"):
        return SD3Transformer2DModel.from_config(config)


PLAN: Final = Plan(
    network=Network(
        marks=MARKS,
        diffusers_marks=DIFFUSERS_MARKS,
        make=_make,
        settings=sd3_config,
        names=sd3_names,
        width="x_embedder.proj.bias",
    ),
    readers=(
        Reader(name="text_encoder", part="clip_l", label="CLIP-L", files="clip_l.safetensors"),
        Reader(
            name="text_encoder_2",
            part="clip_g",
            label="CLIP-G",
            files="clip_g.safetensors",
            activation="gelu",
            has_projection=True,
            pad=OPEN_CLIP_PAD,
        ),
        Reader(
            name="text_encoder_3",
            part=T5,
            label="T5",
            files="t5xxl_fp16.safetensors or t5xxl_fp8_e4m3fn.safetensors",
            is_optional=True,
        ),
    ),
    vae=latent_settings(scaling=1.5305, shift=0.0609),
)

DEFAULTS: Final[Mapping[str, tuple[int, float]]] = MappingProxyType(
    {MEDIUM: (28, 5.0), MEDIUM_35: (40, 4.5), LARGE_35: (28, 4.5), TURBO_35: (4, 1.0)}
)
"""Steps and guidance scale of each variant, as its makers advise."""


class StableDiffusion3(TransformerFamily):
    """The family."""

    id = "sd3"
    label = "Stable Diffusion 3"

    def variant(self, header: Mapping[str, tuple[int, ...]], metadata: Mapping[str, str]) -> str:
        """By its norms and its blocks of two attentions; turbo by what its maker wrote, for its
        shapes are those of large."""
        if any(".attn2." in key for key in header):
            return MEDIUM_35
        if not any(key.endswith((".ln_q.weight", ".attn.norm_q.weight")) for key in header):
            return MEDIUM
        return TURBO_35 if "turbo" in said(metadata) else LARGE_35

    def folder_variant(self, model_index: Mapping[str, object], folder: Path) -> str | None:
        """By the same signs, as the network's settings tell them."""
        if not str(model_index.get("_class_name")).startswith("StableDiffusion3"):
            return None
        told: dict[str, Any] = read_settings(folder / "transformer" / "config.json")
        if told.get("dual_attention_layers"):
            return MEDIUM_35
        if not told.get("qk_norm"):
            return MEDIUM
        names = f"{model_index.get('_name_or_path')} {told.get('_name_or_path')}".lower()
        return TURBO_35 if "turbo" in names else LARGE_35

    def kind(self, variant: str) -> Kind:
        """All of them are asked in one way."""
        return Kind(architecture="sd3", shift=SHIFT)

    def reading(self, variant: str) -> tuple[Path, int]:
        """By T5."""
        return T5_TOKENIZER, SHORT

    def defaults(self, model: ModelInfo) -> Defaults:
        """What suits the variant."""
        steps, guidance_scale = DEFAULTS.get(model.variant, DEFAULTS[LARGE_35])
        return Defaults(
            width=1024,
            height=1024,
            steps=steps,
            guidance_scale=guidance_scale,
            sampler="euler",
            schedule="simple",
        )


FAMILY: Final = StableDiffusion3(PLAN)
