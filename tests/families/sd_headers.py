"""Headers of full-size Stable Diffusion files, and of what lies beside them; no weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from webui.engine.tiny_model import STARTS, open_clip_tensors, transformers_tensors
from webui.families import sd15
from webui.families.ldm_layout import FIRST_LAYER, UNET, unet_names, vae_names

CONFIGS: Final = sd15.CONFIG.parent
Shapes = dict[str, tuple[int, ...]]
OTHER_LAYERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "ssd-1b": {
        "mid_block_type": "UNetMidBlock2D",
        "transformer_layers_per_block": [1, 2, 4],
        "reverse_transformer_layers_per_block": [[4, 4, 10], [2, 1, 1], 1],
    },
    "vega": {
        "transformer_layers_per_block": [1, 1, 2],
        "reverse_transformer_layers_per_block": [[2, 2, 2], [1, 1, 1], 1],
    },
}
"""Of leaner relatives of SDXL."""


def config(family: str, part: str) -> dict[str, Any]:
    """The shipped settings of a family's part."""
    return dict(json.loads(Path(CONFIGS / family / part / "config.json").read_text("utf-8")))


@cache
def unet(family: str, lean: str = "") -> Shapes:
    """A UNet by the library's names."""
    settings = config(family, "unet") | dict(OTHER_LAYERS.get(lean, {}))
    with torch.device("meta"):
        return _shapes(UNet2DConditionModel.from_config(settings).state_dict())


@cache
def vae(family: str = "sd15", channels: int = 4) -> Shapes:
    """A VAE by the library's names."""
    settings = config(family, "vae") | {"latent_channels": channels}
    with torch.device("meta"):
        return _shapes(AutoencoderKL.from_config(settings).state_dict())


@cache
def text_encoder(family: str, part: str = "text_encoder", layout: str = "transformers") -> Shapes:
    """A text encoder as files of its own have it."""
    return _text(family, part, "", is_open_clip=layout == "open_clip")


@cache
def whole(family: str, lean: str = "") -> Shapes:
    """A checkpoint with all its parts, in the original layout."""
    parts = original_unet(family, lean) | original_vae(family)
    for part, start in STARTS[family].items():
        parts |= _text(family, part, start, is_open_clip=start.endswith("model."))
    return parts


def original_unet(family: str, lean: str = "", prefix: str = UNET) -> Shapes:
    """A UNet in the original layout."""
    shapes = unet(family, lean)
    names = unet_names(shapes, 2, prefix)
    return {names[key]: shape for key, shape in shapes.items()}


def original_vae(family: str, channels: int = 4, prefix: str = "first_stage_model.") -> Shapes:
    """A VAE in the original layout."""
    shapes = vae(family, channels)
    names = vae_names(shapes, prefix)
    return {
        names[key]: (*shape, 1, 1) if "attentions" in key and len(shape) == 2 else shape
        for key, shape in shapes.items()
    }


def inputs(shapes: Shapes, channels: int) -> Shapes:
    """The same with a UNet that takes so many channels."""
    width = shapes[FIRST_LAYER][0]
    return shapes | {FIRST_LAYER: (width, channels, 3, 3)}


def without(shapes: Shapes, *starts: str) -> Shapes:
    """The same without what begins so."""
    return {key: shape for key, shape in shapes.items() if not key.startswith(starts)}


def lora(shapes: Shapes, prefix: str, down: str = "lora_down", up: str = "lora_up") -> Shapes:
    """A LoRA of rank 8 for the attention of a UNet, under its names, flat with kohya's prefix."""
    found: Shapes = {}
    for key, shape in shapes.items():
        if ".attn" not in key or len(shape) != 2:
            continue
        name = key.removesuffix(".weight").removeprefix(UNET)
        name = prefix + (name.replace(".", "_") if prefix.endswith("_") else name)
        found |= {f"{name}.{down}.weight": (8, shape[1]), f"{name}.{up}.weight": (shape[0], 8)}
    return found


def _text(family: str, part: str, start: str, *, is_open_clip: bool) -> Shapes:
    said = config(family, part)
    settings = CLIPTextConfig.from_dict(said)
    has_projection = "CLIPTextModelWithProjection" in said["architectures"]
    kind: type[nn.Module] = CLIPTextModelWithProjection if has_projection else CLIPTextModel
    with torch.device("meta"):
        state = dict(kind(settings).state_dict())
    write = open_clip_tensors if is_open_clip else transformers_tensors
    return _shapes(write(state, start))


def _shapes(state: Mapping[str, Tensor]) -> Shapes:
    return {key: tuple(tensor.shape) for key, tensor in state.items()}
