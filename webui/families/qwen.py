"""Qwen-Image, and the Qwen-Image-Edit that changes pictures by words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from webui.core.model import Defaults, ModelInfo
from webui.families.components import Shift
from webui.families.dit_family import TransformerFamily, said
from webui.families.dit_plan import Kind, Network, Plan, Reader
from webui.families.language_model import QWEN25
from webui.families.language_tokenizer import QWEN as QWEN_TOKENIZER
from webui.families.qwen_vae import SETTINGS

PLAIN: Final = ""
EDIT: Final = "edit"
EDIT_PLUS: Final = "edit-plus"
"""Its later releases, which are told the number of each picture."""
EDIT_CLEAN: Final = "edit-2511"
"""The one of these that is told that pictures to look at have no noise."""
WORDS: Final = MappingProxyType({"2511": EDIT_CLEAN, "2509": EDIT_PLUS, "plus": EDIT_PLUS})
"""What makers call those."""
LAYERED: Final = "layered"
SHIFT: Final = Shift(small=0.5, large=0.9, large_tokens=8192)
MARKS: Final = (
    "txt_norm.weight",
    "transformer_blocks.0.img_mod.1.weight",
    "transformer_blocks.0.attn.add_q_proj.weight",
    "proj_out.weight",
)
"""Of files of all makers: they have the library's names."""
CLEAN_MARK: Final = "__index_timestep_zero__"
"""In files of the last one, but not in all."""
LAYERED_MARK: Final = "addition_t_embedding.weight"
"""What is told of a layer."""
ARCHITECTURES: Final = MappingProxyType(
    {EDIT: "qwen_edit", EDIT_PLUS: "qwen_edit_plus", EDIT_CLEAN: "qwen_edit_plus"}
)
"""By which those are asked that edit."""
CELLS: Final = 4
"""Of a token."""
MOST_TOKENS: Final = 1019
"""Of a prompt, without what stands around it."""
NOTES: Final = (
    "Qwen-Image reads brackets around words, as in (red:1.2), as if they were not there, and has "
    "no clip skip.",
)


def _make(config: dict[str, Any]) -> Any:
    from diffusers.models.transformers.transformer_qwenimage import QwenImageTransformer2DModel

    return QwenImageTransformer2DModel.from_config(config)


def _settings(shape: Callable[[str], tuple[int, ...]], keys: Collection[str]) -> dict[str, Any]:
    (width,), (head,) = shape("img_in.bias"), shape("transformer_blocks.0.attn.norm_q.weight")
    blocks = {key.split(".")[1] for key in keys if key.startswith("transformer_blocks.")}
    return {
        "in_channels": shape("img_in.weight")[1],
        "out_channels": shape("proj_out.weight")[0] // CELLS,
        "num_layers": len(blocks),
        "attention_head_dim": head,
        "num_attention_heads": width // head,
        "joint_attention_dim": shape("txt_norm.weight")[0],
        # an eighth says which picture it is, the rest where in it: 16, 56, 56 of 128
        "axes_dims_rope": [head // 8, head * 7 // 16, head * 7 // 16],
    }


def _clean_settings(
    shape: Callable[[str], tuple[int, ...]], keys: Collection[str]
) -> dict[str, Any]:
    return {**_settings(shape, keys), "zero_cond_t": True}


def _names(keys: Collection[str], width: int, start: str = "") -> Mapping[str, str]:
    return {key: start + key for key in keys}


PLAN: Final = Plan(
    network=Network(
        marks=MARKS,
        diffusers_marks=MARKS,
        make=_make,
        settings=_settings,
        names=_names,
        width="img_in.bias",
    ),
    readers=(
        Reader(
            name="text_encoder",
            part=QWEN25,
            label="Qwen2.5-VL 7B",
            files="qwen_2.5_vl_7b.safetensors or qwen_2.5_vl_7b_fp8_scaled.safetensors",
        ),
    ),
    vae=dict(SETTINGS),
    vae_file="qwen_image_vae.safetensors",
)
EDIT_PLAN: Final = replace(PLAN, readers=tuple(replace(each, sees=True) for each in PLAN.readers))
CLEAN_PLAN: Final = replace(EDIT_PLAN, network=replace(PLAN.network, settings=_clean_settings))


class QwenImage(TransformerFamily):
    """The family."""

    id = "qwen"
    label = "Qwen-Image"
    latents = "qwen"
    hears_weights = False

    def variant(self, header: Mapping[str, tuple[int, ...]], metadata: Mapping[str, str]) -> str:
        """By what its maker wrote, for models that edit have the same shapes."""
        if any(key.endswith(LAYERED_MARK) for key in header):
            return LAYERED
        if any(key.endswith(CLEAN_MARK) for key in header):
            return EDIT_CLEAN
        words = said(metadata)
        if EDIT not in words:
            return PLAIN
        return next((variant for word, variant in WORDS.items() if word in words), EDIT)

    def folder_variant(self, model_index: Mapping[str, object], folder: Path) -> str | None:
        """By its pipeline."""
        pipeline = str(model_index.get("_class_name"))
        if not pipeline.startswith("QwenImage"):
            return None
        if "Layered" in pipeline:
            return LAYERED
        if "Edit" not in pipeline:
            return PLAIN
        return EDIT_PLUS if "Plus" in pipeline else EDIT

    def plan_of(self, variant: str) -> Plan:
        """Those that edit see the picture with their text encoder too."""
        if variant == EDIT_CLEAN:
            return CLEAN_PLAN
        return EDIT_PLAN if variant in ARCHITECTURES else self.plan

    def kind(self, variant: str) -> Kind:
        """How it is asked."""
        if variant == LAYERED:
            raise ValueError(
                "it is a Qwen-Image that takes pictures apart into layers, which this version "
                "can't run. Choose Qwen-Image."
            )
        return Kind(architecture=ARCHITECTURES.get(variant, "qwen"), shift=SHIFT, notes=NOTES)

    def reading(self, variant: str) -> tuple[Path, int]:
        """By Qwen's vocabulary, all at once."""
        return QWEN_TOKENIZER, MOST_TOKENS

    def defaults(self, model: ModelInfo) -> Defaults:
        """As its makers advise, but for the guidance scale: theirs is 4 and is weakened again."""
        side = 1024 if model.variant in ARCHITECTURES else 1328
        return Defaults(
            width=side,
            height=side,
            steps=30,
            guidance_scale=2.5,
            sampler="euler",
            schedule="simple",
        )


FAMILY: Final = QwenImage(PLAN)
