"""A Stable Diffusion 1 of a few hundred thousand random weights, as a single file.

It draws nothing anyone wants to see, but goes every way that a real checkpoint goes: the start-up
self-test and the tests use it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from webui.families import ldm_layout
from webui.families.sd15 import CONFIG

LAYERS_PER_BLOCK: Final = 1
CONTEXT_WIDTH: Final = 32

UNET: Final = MappingProxyType(
    {
        "sample_size": 8,
        "block_out_channels": [32, 64],
        "layers_per_block": LAYERS_PER_BLOCK,
        "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
        "cross_attention_dim": CONTEXT_WIDTH,
        "attention_head_dim": 4,
    }
)
VAE: Final = MappingProxyType(
    {
        "block_out_channels": [16, 32, 32, 32],
        "layers_per_block": 1,
        "norm_num_groups": 8,
        "sample_size": 64,
    }
)
TEXT_ENCODER: Final = MappingProxyType(
    {
        "hidden_size": CONTEXT_WIDTH,
        "intermediate_size": 64,
        "num_attention_heads": 4,
        "num_hidden_layers": 3,
        "projection_dim": CONTEXT_WIDTH,
    }
)
CALM: Final = 0.3
"""Random networks amplify rounding; with a smaller last layer they do so less."""


def write_description(folder: Path) -> Path:
    """A folder that says of the tiny model what the shipped one says of Stable Diffusion 1.5."""
    shutil.copytree(CONFIG, folder)
    for part, changes in (("unet", UNET), ("vae", VAE), ("text_encoder", TEXT_ENCODER)):
        file = folder / part / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | dict(changes)), "utf-8")
    return folder


def write_checkpoint(file: Path, description: Path, dtype: torch.dtype = torch.float16) -> Path:
    """The tiny model in the original layout; the same weights on every run."""
    tensors = {name: tensor.to(dtype) for name, tensor in tiny_tensors(description).items()}
    save_file(tensors, file)
    return file


def tiny_tensors(description: Path) -> dict[str, Tensor]:
    """All tensors of a random model with this description, by their names in a single file."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unet = UNet2DConditionModel.from_config(_config(description, "unet"))
        vae = AutoencoderKL.from_config(_config(description, "vae"))
        text_encoder = CLIPTextModel(CLIPTextConfig.from_dict(_config(description, "text_encoder")))
    layers = int(unet.config.layers_per_block)
    with torch.inference_mode():
        unet.conv_out.weight.mul_(CALM)
    return {
        **_renamed(unet.state_dict(), ldm_layout.unet_names(unet.state_dict(), layers)),
        **_renamed(_as_convolutions(vae.state_dict()), ldm_layout.vae_names(vae.state_dict())),
        **_renamed(
            text_encoder.state_dict(), ldm_layout.text_encoder_names(text_encoder.state_dict())
        ),
    }


def _renamed(tensors: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    return {names[key]: tensor.contiguous() for key, tensor in tensors.items()}


def _as_convolutions(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The VAE's attention as single files have it: linear layers as 1x1 convolutions."""
    return {
        key: tensor[..., None, None] if "attentions" in key and tensor.ndim == 2 else tensor
        for key, tensor in tensors.items()
    }


def _config(description: Path, part: str) -> dict[str, Any]:
    return dict(json.loads((description / part / "config.json").read_text("utf-8")))
