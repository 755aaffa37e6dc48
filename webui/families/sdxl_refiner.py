"""The refiner of Stable Diffusion XL, which takes over for the last steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from webui.core.model import Defaults
from webui.families.sd_family import UNetFamily
from webui.families.sd_loading import Plan
from webui.families.sdxl import CLIP_G
from webui.families.unet_file import UNetFile

CONFIG: Final = Path(__file__).parent / "configs" / "sdxl_refiner"
CONTEXT_WIDTH: Final = 1280
LABEL_WIDTH: Final = 2560
"""The text as a whole, 1280, four sizes and an aesthetic score of 256 each."""


class StableDiffusionXLRefiner(UNetFamily):
    """The family. `config` is the folder that describes single files; tests pass a small one."""

    id = "sdxl_refiner"
    label = "Stable Diffusion XL Refiner"
    latents = "sd"

    def __init__(self, config: Path = CONFIG) -> None:
        reader = replace(
            CLIP_G,
            starts=("conditioner.embedders.0.model.", "conditioner.embedders.0.transformer."),
        )
        super().__init__(
            Plan(architecture="sdxl_refiner", description=config, readers=(reader,)),
            Defaults(width=1024, height=1024, steps=25, guidance_scale=6.0, sampler="dpmpp_2m"),
        )
        self.config: Final = config

    def owns(self, unet: UNetFile) -> bool:
        """It listens to the larger CLIP alone, and is told a score."""
        return (unet.context_width, unet.label_width) == (CONTEXT_WIDTH, LABEL_WIDTH)

    def owns_folder(
        self, parts: Mapping[str, object], unet: Mapping[str, Any], index: Mapping[str, object]
    ) -> bool:
        """The second text encoder without the first."""
        return (
            parts.get("text_encoder") is None
            and parts.get(CLIP_G.name) == "CLIPTextModelWithProjection"
        )


FAMILY: Final = StableDiffusionXLRefiner()
