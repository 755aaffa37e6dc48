"""Flux.1: dev and its relatives (Krea, Fill, Kontext), and schnell."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from webui.core.model import Defaults, ModelInfo
from webui.families.components import Shift
from webui.families.dit_family import LONG, SHORT, TransformerFamily, said
from webui.families.dit_loading import read_settings
from webui.families.dit_plan import T5, Kind, Network, Plan, Reader, latent_settings
from webui.families.flux_layout import (
    FLUX_DIFFUSERS_MARKS,
    FLUX_MARKS,
    flux_config,
    flux_names,
)
from webui.families.t5 import TOKENIZER as T5_TOKENIZER

DEV: Final = "dev"
SCHNELL: Final = "schnell"
FILL: Final = "fill"
KONTEXT: Final = "kontext"
CONTROL: Final = "control"
DEPTH: Final = "depth"
OTHER: Final = "other"

PLAIN_CHANNELS: Final = 64
CONTROL_CHANNELS: Final = 128
"""Those of a picture to draw after beside them."""
FILL_CHANNELS: Final = 384
"""Beside the noisy latents those of the picture without its masked part, and the mask: each 2 x 2
cells of 16, 16 and 64 channels."""

DEV_SHIFT: Final = Shift(small=0.5, large=1.15)
GUIDANCE: Final[Mapping[str, float]] = MappingProxyType(
    {DEV: 3.5, FILL: 30.0, KONTEXT: 2.5, CONTROL: 30.0, DEPTH: 10.0}
)
"""The distilled guidance that suits each variant."""
FOLDER_CLASSES: Final = MappingProxyType(
    {"FluxFillPipeline": FILL, "FluxKontextPipeline": KONTEXT, "FluxControlPipeline": CONTROL}
)
INPUT_LAYERS: Final = ("img_in", "x_embedder")
MOST_DOTS: Final = 3
"""In the name of a layer at the top of a network: "model.diffusion_model.img_in.weight"."""
GUIDANCE_LAYERS: Final = (
    "guidance_in.in_layer.weight",
    "time_text_embed.guidance_embedder.linear_1.weight",
)
T5_READER: Final = Reader(
    name="text_encoder_2",
    part=T5,
    label="T5",
    files="t5xxl_fp16.safetensors or t5xxl_fp8_e4m3fn.safetensors",
)
LATENTS: Final = latent_settings(scaling=0.3611, shift=0.1159)


def _make(config: dict[str, Any]) -> Any:
    from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel

    return FluxTransformer2DModel.from_config(config)


def _settings(shape: Callable[[str], tuple[int, ...]], keys: Collection[str]) -> dict[str, Any]:
    return {
        **flux_config(shape, keys),
        "pooled_projection_dim": shape("vector_in.in_layer.weight")[1],
        "guidance_embeds": GUIDANCE_LAYERS[0] in keys,
    }


PLAN: Final = Plan(
    network=Network(
        marks=FLUX_MARKS,
        diffusers_marks=FLUX_DIFFUSERS_MARKS,
        make=_make,
        settings=_settings,
        names=flux_names,
        width="img_in.bias",
    ),
    readers=(
        Reader(name="text_encoder", part="clip_l", label="CLIP-L", files="clip_l.safetensors"),
        T5_READER,
    ),
    vae=LATENTS,
)


class Flux(TransformerFamily):
    """The family."""

    id = "flux"
    label = "Flux.1"

    def variant(self, header: Mapping[str, tuple[int, ...]], metadata: Mapping[str, str]) -> str:
        """By what the network takes; Kontext by what its maker wrote, for its shapes are dev's."""
        channels = _channels(header)
        if channels == FILL_CHANNELS:
            return FILL
        if channels == CONTROL_CHANNELS:
            return DEPTH if DEPTH in said(metadata) else CONTROL
        if channels != PLAIN_CHANNELS:
            return OTHER
        if not any(key.endswith(GUIDANCE_LAYERS) for key in header):
            return SCHNELL
        return KONTEXT if "kontext" in said(metadata) else DEV

    def folder_variant(self, model_index: Mapping[str, object], folder: Path) -> str | None:
        """By its pipeline, and by what the network's settings say."""
        pipeline = str(model_index.get("_class_name"))
        told = read_settings(folder / "transformer" / "config.json")
        is_flux = pipeline.startswith("Flux") and not pipeline.startswith("Flux2")
        if not is_flux or told.get("_class_name") not in (
            None,
            "FluxTransformer2DModel",
        ):
            return None
        if pipeline in FOLDER_CLASSES:
            return FOLDER_CLASSES[pipeline]
        return DEV if told.get("guidance_embeds") else SCHNELL

    def kind(self, variant: str) -> Kind:
        """How it is asked, and how its steps lean."""
        match variant:
            case "other":
                raise ValueError(
                    "it is a Flux model that is shown more beside the picture than this version "
                    "knows of. Choose Flux dev, schnell, Fill, Kontext, Canny or Depth."
                )
            case "schnell":
                return Kind(architecture="flux_schnell", shift=Shift())
            case "kontext":
                return Kind(architecture="flux_kontext", shift=DEV_SHIFT)
        return Kind(architecture="flux", shift=DEV_SHIFT)

    def reading(self, variant: str) -> tuple[Path, int]:
        """By T5."""
        return T5_TOKENIZER, SHORT if variant == SCHNELL else LONG

    def defaults(self, model: ModelInfo) -> Defaults:
        """What suits the variant; all but schnell were trained to guide themselves."""
        return Defaults(
            width=1024,
            height=1024,
            steps=4 if model.variant == SCHNELL else 20,
            guidance_scale=1.0,
            sampler="euler",
            schedule="simple",
            distilled_guidance=None if model.variant == SCHNELL else GUIDANCE.get(model.variant),
        )


FAMILY: Final = Flux(PLAN)


def _channels(header: Mapping[str, tuple[int, ...]]) -> int:
    """How many channels the network takes; of a weight packed to 4 bits the bias tells its rows."""
    for layer in INPUT_LAYERS:
        for key, shape in header.items():
            if key.endswith(f"{layer}.weight") and key.count(".") <= MOST_DOTS:
                (rows,) = header.get(key.removesuffix("weight") + "bias", (shape[0],))
                if len(shape) == 2 and shape[0] == rows:
                    return shape[1]
                return 2 * shape[0] * (shape[1] if len(shape) > 1 else 1) // rows
    return PLAIN_CHANNELS
