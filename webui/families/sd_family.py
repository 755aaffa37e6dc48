"""What the families of the Stable Diffusion kind have in common: a UNet that listens to CLIP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from webui.core.model import Defaults, Detected, Header, ModelInfo
from webui.families import sd_loading
from webui.families.components import NO_PARTS, Components, Placement
from webui.families.sd_loading import Plan, missing_parts
from webui.families.sd_variants import folder_words, suited, words_of
from webui.families.unet_file import UNetFile, find_unet

FOLDER_CLASSES: Final = (
    "StableDiffusion",
    "StableUnCLIP",
    "LatentConsistencyModel",
)
"""What the names of pipelines begin with that are made of these parts."""


class UNetFamily:
    """One of these families. Its own class says which UNets are its, and what suits it."""

    id: str
    label: str

    def __init__(self, plan: Plan, defaults: Defaults) -> None:
        self._plan: Final = plan
        self._defaults: Final = defaults

    def owns(self, unet: UNetFile) -> bool:
        """Whether a UNet in a file is of this family."""
        raise NotImplementedError

    def owns_folder(
        self, parts: Mapping[str, object], unet: Mapping[str, Any], index: Mapping[str, object]
    ) -> bool:
        """Whether a folder is of this family. `parts`: the classes of its parts by their names;
        `unet`: its UNet's settings."""
        raise NotImplementedError

    def detect(self, header: Header, metadata: Mapping[str, str]) -> Detected | None:
        """A file with a UNet of this family, alone or with the other parts."""
        shapes = {key: tensor.shape for key, tensor in header.items()}
        unet = find_unet(shapes)
        if unet is None or not self.owns(unet):
            return None
        return Detected(
            variant=" ".join(words_of(shapes, unet, metadata)),
            missing=missing_parts(header, self._plan.readers),
        )

    def detect_folder(self, model_index: Mapping[str, object], folder: Path) -> Detected | None:
        """A diffusers folder that is made of this family's parts."""
        parts = {name: _class_name(entry) for name, entry in model_index.items()}
        if (
            not str(model_index.get("_class_name")).startswith(FOLDER_CLASSES)
            or parts.get("unet") != "UNet2DConditionModel"
            or parts.get("vae") != "AutoencoderKL"
        ):
            return None
        unet = settings(folder / "unet" / "config.json")
        if not self.owns_folder(parts, unet, model_index):
            return None
        schedule = settings(folder / "scheduler" / "scheduler_config.json")
        return Detected(variant=" ".join(folder_words(unet, schedule, model_index)))

    def defaults(self, model: ModelInfo) -> Defaults:
        """The size that the model was trained at, and what suits it."""
        defaults = self._defaults
        if model.path.is_dir():
            side = _trained_side(model.path, defaults.width)
            defaults = replace(defaults, width=side, height=side)
        return suited(defaults, model.variant.split())

    def load(
        self, path: Path, placement: Placement, parts: Mapping[str, Path] = NO_PARTS
    ) -> Components:
        """The model in a single file or a diffusers folder. Raises ModelUnreadable."""
        if path.is_dir():
            return sd_loading.load_folder(path, self._plan, placement)
        return sd_loading.load_file(path, self._plan, placement, parts)


def settings(file: Path) -> dict[str, Any]:
    """A part's settings; nothing where they can't be read: loading says what is wrong."""
    try:
        return dict(json.loads(file.read_text("utf-8")))
    except (OSError, ValueError):
        return {}


def _class_name(entry: object) -> object:
    """model_index.json names each part as [library, class]; absent parts as [null, null]."""
    return entry[1] if isinstance(entry, list) and len(entry) == 2 else None


def _trained_side(folder: Path, usual: int) -> int:
    """Pixels: the UNet's sample size times the VAE's scale; `usual` where the folder is silent."""
    sample = settings(folder / "unet" / "config.json").get("sample_size")
    levels = settings(folder / "vae" / "config.json").get("block_out_channels", (0, 0, 0, 0))
    if not sample:
        return usual
    side = max(sample) if isinstance(sample, list) else int(sample)
    return int(side * 2 ** (len(levels) - 1))
