"""Flux.2 Klein, of 4 and 9 billion weights: distilled to few steps, and the base of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from webui.core.model import Defaults, ModelInfo
from webui.families.components import Shift
from webui.families.dit_family import TransformerFamily, said
from webui.families.dit_loading import read_settings
from webui.families.dit_plan import Kind, Network, Plan, Reader
from webui.families.flux2_layout import DIFFUSERS_MARKS, MARKS, flux2_config, flux2_names
from webui.families.language_model import QWEN3, QWEN3_8B
from webui.families.language_tokenizer import QWEN as QWEN_TOKENIZER

SMALL: Final = "klein-4b"
LARGE: Final = "klein-9b"
BASE: Final = "-base"
DEV: Final = "dev"
LISTENING: Final[Mapping[int, str]] = MappingProxyType({7680: SMALL, 12288: LARGE, 15360: DEV})
"""By how wide that is which it listens to: three layers of its text encoder."""
TEXT_LAYERS: Final = ("txt_in.weight", "context_embedder.weight")
STEPS: Final = MappingProxyType({False: 4, True: 50})
"""That its makers advise, for the base or not."""
MOST_TOKENS: Final = 1012
"""Of a prompt, without what stands around it."""
NOTES: Final = (
    "Flux.2 reads brackets around words, as in (red:1.2), as if they were not there, and has no "
    "clip skip.",
)


def _make(config: dict[str, Any]) -> Any:
    from diffusers.models.transformers.transformer_flux2 import Flux2Transformer2DModel

    return Flux2Transformer2DModel.from_config(config)


def shift_for(steps: int) -> Shift:
    """How far so many steps lean, a rule that its makers found by trying: straight lines in the
    tokens of the picture and in the steps, known at 10 and at 200 steps."""

    def lean(tokens: int) -> float:
        few = 8.73809524e-05 * tokens + 1.89833333
        many = 0.00016927 * tokens + 0.45666666
        return few + (many - few) * (steps - 10) / 190

    return Shift(small=lean(256), large=lean(4096))


PLAN: Final = Plan(
    network=Network(
        marks=MARKS,
        diffusers_marks=DIFFUSERS_MARKS,
        make=_make,
        settings=flux2_config,
        names=flux2_names,
        width="img_in.weight",
    ),
    readers=(
        Reader(name="text_encoder", part=QWEN3, label="Qwen3 4B", files="qwen_3_4b.safetensors"),
    ),
    vae={
        "in_channels": 3,
        "out_channels": 3,
        "latent_channels": 32,
        "norm_num_groups": 32,
        "sample_size": 1024,
        "use_quant_conv": True,
        "use_post_quant_conv": True,
        "batch_norm_eps": 1e-4,
    },
    vae_file="flux2-vae.safetensors",
)
LARGE_PLAN: Final = replace(
    PLAN,
    readers=(
        Reader(name="text_encoder", part=QWEN3_8B, label="Qwen3 8B", files="qwen_3_8b.safetensors"),
    ),
)


class Flux2(TransformerFamily):
    """The family."""

    id = "flux2"
    label = "Flux.2"
    latents = "flux2"
    hears_weights = False

    def variant(self, header: Mapping[str, tuple[int, ...]], metadata: Mapping[str, str]) -> str:
        """By what it listens to; the base by what its maker wrote, for its shapes are the same."""
        widths = [shape[-1] for key, shape in header.items() if key.endswith(TEXT_LAYERS)]
        size = LISTENING.get(widths[0] if widths else 0, SMALL)
        return size + BASE if size != DEV and "base" in said(metadata) else size

    def folder_variant(self, model_index: Mapping[str, object], folder: Path) -> str | None:
        """By its pipeline, and by what the network's settings say."""
        pipeline = str(model_index.get("_class_name"))
        if not pipeline.startswith("Flux2"):
            return None
        if "Klein" not in pipeline:
            return DEV
        told = read_settings(folder / "transformer" / "config.json")
        size = LISTENING.get(int(told.get("joint_attention_dim", 0)), SMALL)
        return size if model_index.get("is_distilled") else size + BASE

    def plan_of(self, variant: str) -> Plan:
        """The larger one listens to a larger language model."""
        return LARGE_PLAN if variant.startswith(LARGE) else self.plan

    def kind(self, variant: str) -> Kind:
        """How it is asked, and how its steps lean."""
        if variant == DEV:
            raise ValueError(
                "it is Flux.2 dev, which listens to a language model of 24 billion weights that "
                "this version can't run. Choose Flux.2 Klein."
            )
        shift = shift_for(STEPS[variant.endswith(BASE)])
        return Kind(architecture="flux2", shift=shift, notes=NOTES, is_shift_known=True)

    def reading(self, variant: str) -> tuple[Path, int]:
        """By Qwen's vocabulary, all at once."""
        return QWEN_TOKENIZER, MOST_TOKENS

    def defaults(self, model: ModelInfo) -> Defaults:
        """As its makers advise."""
        is_base = model.variant.endswith(BASE)
        return Defaults(
            width=1024,
            height=1024,
            steps=STEPS[is_base],
            guidance_scale=4.0 if is_base else 1.0,
            sampler="euler",
            schedule="simple",
        )


FAMILY: Final = Flux2(PLAN)
