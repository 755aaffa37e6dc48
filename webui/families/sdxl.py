"""Stable Diffusion XL and everything trained from it, its leaner relatives (SSD-1B, Vega) too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from webui.core.model import Defaults
from webui.families.clip_file import OPEN_CLIP_PAD
from webui.families.sd_family import UNetFamily
from webui.families.sd_loading import Plan, Reader
from webui.families.unet_file import UNetFile

CONFIG: Final = Path(__file__).parent / "configs" / "sdxl"
CONTEXT_WIDTH: Final = 2048
LABEL_WIDTH: Final = 2816
"""The text as a whole, 1280, and six sizes of 256 each."""
SECOND_READER: Final = "text_encoder_2"

CLIP_L: Final = Reader(
    part="clip_l",
    label="CLIP-L",
    files="clip_l.safetensors",
    starts=("conditioner.embedders.0.transformer.",),
)
CLIP_G: Final = Reader(
    name=SECOND_READER,
    part="clip_g",
    label="CLIP-G",
    files="clip_g.safetensors",
    starts=("conditioner.embedders.1.model.", "conditioner.embedders.1.transformer."),
    has_projection=True,
    pad=OPEN_CLIP_PAD,
)


class StableDiffusionXL(UNetFamily):
    """The family. `config` is the folder that describes single files; tests pass a small one."""

    id = "sdxl"
    label = "Stable Diffusion XL"
    latents = "sd"

    def __init__(self, config: Path = CONFIG) -> None:
        super().__init__(
            Plan(architecture="sdxl", description=config, readers=(CLIP_L, CLIP_G)),
            Defaults(width=1024, height=1024, steps=25, guidance_scale=6.0, sampler="dpmpp_2m"),
        )
        self.config: Final = config

    def owns(self, unet: UNetFile) -> bool:
        """It listens to both CLIPs side by side, and is told the sizes."""
        return (unet.context_width, unet.label_width) == (CONTEXT_WIDTH, LABEL_WIDTH)

    def owns_folder(
        self, parts: Mapping[str, object], unet: Mapping[str, Any], index: Mapping[str, object]
    ) -> bool:
        """Two text encoders."""
        return (
            parts.get("text_encoder") == "CLIPTextModel"
            and parts.get(SECOND_READER) == "CLIPTextModelWithProjection"
        )


FAMILY: Final = StableDiffusionXL()
