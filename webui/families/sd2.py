"""Stable Diffusion 2.x: a UNet that listens to OpenCLIP-H, answering noise or velocity.

Its files look the same whatever the UNet answers. What decides, in this order: a tensor "v_pred";
the file's own metadata; "parameterization" in a .yaml file of the same name beside it, as the first
of these models came with; else the UNet itself, asked once when it is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from webui.core.model import Defaults, Detected, Header
from webui.families.clip_file import OPEN_CLIP_PAD
from webui.families.components import Prediction
from webui.families.schedule_config import said_in
from webui.families.sd_family import UNetFamily
from webui.families.sd_loading import Plan, Reader
from webui.families.sd_variants import PIXELS
from webui.families.unet_file import UNetFile

CONFIG: Final = Path(__file__).parent / "configs" / "sd2"
CONTEXT_WIDTH: Final = 1024
BASE_SIDE: Final = 512
"""Pixels: those that answer noise were trained on smaller pictures."""

CLIP_H: Final = Reader(
    part="clip_h",
    label="OpenCLIP-H",
    files="clip_h.safetensors",
    starts=("cond_stage_model.model.", "cond_stage_model.transformer."),
    pad=OPEN_CLIP_PAD,
)


class StableDiffusion2(UNetFamily):
    """The family. `config` is the folder that describes single files; tests pass a small one."""

    id = "sd2"
    label = "Stable Diffusion 2"
    latents = "sd"

    def __init__(self, config: Path = CONFIG) -> None:
        super().__init__(
            Plan(architecture="sd", description=config, readers=(CLIP_H,), may_ask_network=True),
            Defaults(width=768, height=768, steps=20, guidance_scale=7.0, sampler="dpmpp_2m"),
        )
        self.config: Final = config

    def owns(self, unet: UNetFile) -> bool:
        """It listens to OpenCLIP-H's text. Those that are told more are its relatives: loading
        says which can't be run."""
        return unet.context_width == CONTEXT_WIDTH

    def owns_folder(
        self, parts: Mapping[str, object], unet: Mapping[str, Any], index: Mapping[str, object]
    ) -> bool:
        """One text encoder that is as wide."""
        return (
            parts.get("text_encoder") in ("CLIPTextModel", "CLIPTextModelWithProjection")
            and parts.get("text_encoder_2") is None
            and unet.get("cross_attention_dim") == CONTEXT_WIDTH
        )

    def detect(self, header: Header, metadata: Mapping[str, str]) -> Detected | None:
        """A file with a UNet of this family; those that say they answer noise are smaller."""
        found = super().detect(header, metadata)
        is_base = said_in(metadata) is Prediction.EPSILON
        if found is None or not is_base or PIXELS in found.variant:
            return found
        return replace(found, variant=f"{found.variant} {BASE_SIDE}{PIXELS}".strip())


FAMILY: Final = StableDiffusion2()
