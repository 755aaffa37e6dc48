"""Stable Diffusion 1.x and everything trained from it, the starter model included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from webui.core.model import Defaults, ModelInfo
from webui.families.sd_family import UNetFamily
from webui.families.sd_loading import Plan, Reader
from webui.families.unet_file import UNetFile

CONFIG: Final = Path(__file__).parent / "configs" / "sd15"
"""What a single file leaves out: the shapes of the networks, the tokenizer, the schedule."""

CONTEXT_WIDTH: Final = 768
SD2_CONTEXT_WIDTH: Final = 1024
STARTER_GUIDANCE_SCALE: Final = 4.0
"""The starter model is best between 3 and 5."""

CLIP_L: Final = Reader(
    part="clip_l",
    label="CLIP-L",
    files="clip_l.safetensors",
    starts=("cond_stage_model.transformer.",),
)


class StableDiffusion15(UNetFamily):
    """The family. `config` is the folder that describes single files; tests pass a small one."""

    id = "sd15"
    label = "Stable Diffusion 1.5"
    latents = "sd"

    def __init__(self, config: Path = CONFIG) -> None:
        super().__init__(
            Plan(
                architecture="sd",
                description=config,
                readers=(CLIP_L,),
                is_mostly_convolutions=True,
            ),
            Defaults(width=512, height=512, steps=20, guidance_scale=7.0, sampler="dpmpp_2m"),
        )
        self.config: Final = config

    def owns(self, unet: UNetFile) -> bool:
        """It listens to CLIP-L's text."""
        return unet.context_width == CONTEXT_WIDTH and not unet.label_width

    def owns_folder(
        self, parts: Mapping[str, object], unet: Mapping[str, Any], index: Mapping[str, object]
    ) -> bool:
        """One text encoder, of whatever width but that of Stable Diffusion 2: small models that
        were trained from nothing are of this family too."""
        return (
            parts.get("text_encoder") == "CLIPTextModel"
            and parts.get("text_encoder_2") is None
            and unet.get("cross_attention_dim") != SD2_CONTEXT_WIDTH
        )

    def defaults(self, model: ModelInfo) -> Defaults:
        """The starter model wants less guidance than the others."""
        defaults = super().defaults(model)
        if model.is_starter:
            return replace(defaults, guidance_scale=STARTER_GUIDANCE_SCALE)
        return defaults


FAMILY: Final = StableDiffusion15()
