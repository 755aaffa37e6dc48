"""Tiny Stable Diffusions written out in every layout that real ones come in, key for key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from webui.engine.tiny_model import (
    open_clip_tensors,
    tiny_parts,
    tiny_tensors,
    transformers_tensors,
    write_description,
)
from webui.families.components import Components, Placement
from webui.families.family import LoadableFamily
from webui.families.ldm_layout import UNET, VAE
from webui.families.sd2 import StableDiffusion2
from webui.families.sd15 import StableDiffusion15
from webui.families.sdxl import StableDiffusionXL
from webui.families.sdxl_refiner import StableDiffusionXLRefiner

Tensors = dict[str, Tensor]
FAMILIES: Final[Mapping[str, Any]] = {
    family.id: family
    for family in (
        StableDiffusion15,
        StableDiffusion2,
        StableDiffusionXL,
        StableDiffusionXLRefiner,
    )
}
PARTS: Final[Mapping[str, Mapping[str, str]]] = {
    "sd15": {"text_encoder": "clip_l"},
    "sd2": {"text_encoder": "clip_h"},
    "sdxl": {"text_encoder": "clip_l", "text_encoder_2": "clip_g"},
    "sdxl_refiner": {"text_encoder_2": "clip_g"},
}
"""The ids of a family's text encoders, as files of their own."""
PLACEMENT: Final = Placement(device=torch.device("cpu"), dtype=torch.float32)


@dataclass(frozen=True, kw_only=True)
class Written:
    """A model on disk: its file or folder, and files with what it lacks."""

    path: Path
    parts: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TinyModel:
    """A family's tiny model, and all that is needed to write it."""

    id: str
    family: LoadableFamily
    description: Path
    parts: Mapping[str, Tensors]
    """By the libraries' names."""
    whole: Tensors
    """As one file."""

    def load(self, written: Written) -> Components:
        """The model as its family reads it."""
        return self.family.load(written.path, PLACEMENT, written.parts)


def make_tiny(family: str, folder: Path) -> TinyModel:
    """The tiny model of a family; its description goes into `folder`."""
    description = write_description(folder / "description", family)
    return TinyModel(
        id=family,
        family=FAMILIES[family](description),
        description=description,
        parts=tiny_parts(description),
        whole=tiny_tensors(description, family),
    )


def write_whole(tiny: TinyModel, folder: Path, **more: Tensor) -> Written:
    """One file with everything in it, and `more` tensors."""
    save_file(tiny.whole | more, folder / "whole.safetensors")
    return Written(path=folder / "whole.safetensors")


def write_folder(
    tiny: TinyModel, folder: Path, variant: str | None = None, shard: str = "5GB"
) -> Written:
    """As diffusers saves it, by diffusers."""
    for part, state in tiny.parts.items():
        model = _model(part, tiny.description)
        model.load_state_dict(state)
        model.save_pretrained(folder / part, variant=variant, max_shard_size=shard)
    for file in tiny.description.rglob("*.json"):
        target = folder / file.relative_to(tiny.description)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    return Written(path=folder)


def write_unet(tiny: TinyModel, folder: Path, names: str, texts: str) -> Written:
    """The UNet alone, the rest beside it. `names`: "prefixed", "bare" or "diffusers"; `texts`:
    "transformers" or "open_clip"."""
    original = {key: tensor for key, tensor in tiny.whole.items() if key.startswith(UNET)}
    unet = {
        "prefixed": original,
        "bare": {key.removeprefix(UNET): tensor for key, tensor in original.items()},
        "diffusers": tiny.parts["unet"],
    }[names]
    save_file(unet, folder / "unet.safetensors")
    parts = {part: folder / f"{part}.safetensors" for part in ("vae", *PARTS[tiny.id].values())}
    vae = {key: tensor for key, tensor in tiny.whole.items() if key.startswith(VAE)}
    save_file({key.removeprefix(VAE): tensor for key, tensor in vae.items()}, parts["vae"])
    write = {"transformers": transformers_tensors, "open_clip": open_clip_tensors}[texts]
    for name, part in PARTS[tiny.id].items():
        save_file(write(tiny.parts[name], ""), parts[part])
    return Written(path=folder / "unet.safetensors", parts=parts)


def states(components: Components) -> Mapping[str, Mapping[str, Tensor]]:
    """All weights of a loaded model."""
    return {
        "unet": components.diffusion_model.state_dict(),
        "vae": components.vae.state_dict(),
        **{name: model.state_dict() for name, model in components.text_encoders.items()},
    }


def assert_holds(components: Components, parts: Mapping[str, Tensors]) -> None:
    """Bit for bit, nothing more and nothing less."""
    found = states(components)
    assert found.keys() == parts.keys()
    for part, weights in parts.items():
        assert found[part].keys() == weights.keys()
        assert all(torch.equal(found[part][key], weights[key]) for key in weights)


def _model(part: str, description: Path) -> Any:
    config = json.loads((description / part / "config.json").read_text("utf-8"))
    if part == "unet":
        return UNet2DConditionModel.from_config(config)
    if part == "vae":
        return AutoencoderKL.from_config(config)
    kind = {"text_encoder": CLIPTextModel, "text_encoder_2": CLIPTextModelWithProjection}[part]
    return kind(CLIPTextConfig.from_dict(config))
