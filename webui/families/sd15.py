"""Stable Diffusion 1.x and everything trained from it, the starter model included."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from webui.core.model import Defaults, Detected, Header, ModelInfo
from webui.families import ldm_layout, sd15_loading
from webui.families.components import NO_PARTS, Components, Placement

CONFIG: Final = Path(__file__).parent / "configs" / "sd15"
"""What a single file leaves out: the shapes of the networks, the tokenizer, the schedule."""

CONTEXT_LAYER: Final = ldm_layout.UNET + "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
CONTEXT_WIDTH: Final = 768

STEPS: Final = 20
GUIDANCE_SCALE: Final = 7.0
STARTER_GUIDANCE_SCALE: Final = 4.0
"""The starter model is best between 3 and 5."""


class StableDiffusion15:
    """The family. `config` is the folder that describes single files; tests pass a small one."""

    id = "sd15"
    label = "Stable Diffusion 1.5"

    def __init__(self, config: Path = CONFIG) -> None:
        self.config: Final = config

    def detect(self, header: Header, metadata: Mapping[str, str]) -> Detected | None:
        """A single file whose UNet listens to CLIP-L's text, 768 wide."""
        context = header.get(CONTEXT_LAYER)
        is_fit = context is not None and context.shape[-1:] == (CONTEXT_WIDTH,)
        return Detected() if is_fit and ldm_layout.FIRST_LAYER in header else None

    def detect_folder(self, model_index: Mapping[str, object], folder: Path) -> Detected | None:
        """A diffusers folder that is made of this family's parts."""
        parts = {name: _class_name(entry) for name, entry in model_index.items()}
        is_fit = (
            str(model_index.get("_class_name")).startswith("StableDiffusion")
            and parts.get("unet") == "UNet2DConditionModel"
            and parts.get("vae") == "AutoencoderKL"
            and parts.get("text_encoder") == "CLIPTextModel"
            and parts.get("text_encoder_2") is None
        )
        return Detected() if is_fit else None

    def defaults(self, model: ModelInfo) -> Defaults:
        """The size the model was trained at, and what suits the family."""
        side = _trained_side(model.path if model.path.is_dir() else self.config)
        return Defaults(
            width=side,
            height=side,
            steps=STEPS,
            guidance_scale=STARTER_GUIDANCE_SCALE if model.is_starter else GUIDANCE_SCALE,
            sampler="dpmpp_2m",
        )

    def load(
        self, path: Path, placement: Placement, parts: Mapping[str, Path] = NO_PARTS
    ) -> Components:
        """The model in a single file or a diffusers folder. Raises ModelUnreadable."""
        if path.is_dir():
            return sd15_loading.load_folder(path, placement)
        return sd15_loading.load_file(path, self.config, placement)


FAMILY: Final = StableDiffusion15()


def _class_name(entry: object) -> object:
    """model_index.json names each part as [library, class]; absent parts as [null, null]."""
    return entry[1] if isinstance(entry, list) and len(entry) == 2 else None


def _trained_side(folder: Path) -> int:
    """Pixels: the UNet's sample size times the VAE's scale; 512 where the folder is silent."""
    sample = _config(folder / "unet").get("sample_size", 64)
    levels = _config(folder / "vae").get("block_out_channels", (128, 256, 512, 512))
    side = max(sample) if isinstance(sample, list) else int(sample)
    return int(side * 2 ** (len(levels) - 1))


def _config(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / "config.json").read_text("utf-8")))
    except (OSError, ValueError):
        return {}  # the engine says what is wrong when it loads the model
