"""Stable Diffusions of a few hundred thousand random weights, in the layouts that real ones have.

They draw nothing anyone wants to see, but go every way that a real checkpoint goes: the start-up
self-test and the tests use them.
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
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from webui.families import ldm_layout
from webui.families.open_clip_layout import open_clip_names
from webui.families.sd15 import CONFIG
from webui.families.weights import Piece

LAYERS_PER_BLOCK: Final = 1
CONTEXT_WIDTH: Final = 32
SECOND_WIDTH: Final = 48
CONFIGS: Final = CONFIG.parent
PROJECTION: Final = "text_projection.weight"

_UNET: Final[Mapping[str, Any]] = MappingProxyType(
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
_XL_UNET: Final[Mapping[str, Any]] = MappingProxyType(
    {
        **_UNET,
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
        "transformer_layers_per_block": [1, 2],
        "attention_head_dim": [2, 4],
        "addition_time_embed_dim": 8,
        "cross_attention_dim": CONTEXT_WIDTH + SECOND_WIDTH,
        "projection_class_embeddings_input_dim": SECOND_WIDTH + 6 * 8,
    }
)
_VAE: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "block_out_channels": [16, 32, 32, 32],
        "layers_per_block": 1,
        "norm_num_groups": 8,
        "sample_size": 64,
    }
)
_TEXT: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "hidden_size": CONTEXT_WIDTH,
        "intermediate_size": 64,
        "num_attention_heads": 4,
        "num_hidden_layers": 3,
        "projection_dim": CONTEXT_WIDTH,
    }
)
_SECOND_TEXT: Final[Mapping[str, Any]] = MappingProxyType(
    {**_TEXT, "hidden_size": SECOND_WIDTH, "projection_dim": SECOND_WIDTH}
)
TINY: Final[Mapping[str, Mapping[str, Mapping[str, Any]]]] = MappingProxyType(
    {
        "sd15": {"unet": _UNET, "vae": _VAE, "text_encoder": _TEXT},
        "sd2": {
            "unet": {**_UNET, "cross_attention_dim": SECOND_WIDTH, "attention_head_dim": [2, 4]},
            "vae": _VAE,
            "text_encoder": _SECOND_TEXT,
        },
        "sdxl": {
            "unet": _XL_UNET,
            "vae": _VAE,
            "text_encoder": _TEXT,
            "text_encoder_2": _SECOND_TEXT,
        },
        "sdxl_refiner": {
            "unet": {
                **_XL_UNET,
                "transformer_layers_per_block": [2, 2],
                "cross_attention_dim": SECOND_WIDTH,
                "projection_class_embeddings_input_dim": SECOND_WIDTH + 5 * 8,
            },
            "vae": _VAE,
            "text_encoder_2": _SECOND_TEXT,
        },
    }
)
"""How each family's description differs from that of its real models."""
STARTS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "sd15": {"text_encoder": "cond_stage_model.transformer."},
        "sd2": {"text_encoder": "cond_stage_model.model."},
        "sdxl": {
            "text_encoder": "conditioner.embedders.0.transformer.",
            "text_encoder_2": "conditioner.embedders.1.model.",
        },
        "sdxl_refiner": {"text_encoder_2": "conditioner.embedders.0.model."},
    }
)
"""What stands before the names of each text encoder in a whole file; those that end in "model."
are of OpenCLIP."""
CALM: Final = 0.3
"""Random networks amplify rounding; with a smaller last layer they do so less."""


def write_description(folder: Path, family: str = "sd15") -> Path:
    """A folder that says of a tiny model what the shipped one says of the family's real models."""
    shutil.copytree(CONFIGS / family, folder, ignore=shutil.ignore_patterns("tokenizer"))
    for part, changes in TINY[family].items():
        file = folder / part / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | dict(changes)), "utf-8")
    return folder


def write_checkpoint(
    file: Path, description: Path, dtype: torch.dtype = torch.float16, family: str = "sd15"
) -> Path:
    """The tiny model in the original layout; the same weights on every run."""
    tensors = tiny_tensors(description, family).items()
    save_file({name: tensor.to(dtype) for name, tensor in tensors}, file)
    return file


def tiny_tensors(description: Path, family: str = "sd15") -> dict[str, Tensor]:
    """All tensors of a random model with this description, by their names in a single file."""
    parts = tiny_parts(description)
    unet, vae = parts["unet"], parts["vae"]
    layers = int(_config(description, "unet")["layers_per_block"])
    whole = {
        **_renamed(unet, ldm_layout.unet_names(unet, layers)),
        **_renamed(_as_convolutions(vae), ldm_layout.vae_names(vae)),
    }
    for part, start in STARTS[family].items():
        is_open_clip = start.endswith("model.")
        write = open_clip_tensors if is_open_clip else transformers_tensors
        whole |= write(parts[part], start)
    return whole


def tiny_parts(description: Path) -> dict[str, dict[str, Tensor]]:
    """The tensors of each part of a random model, by the library's names."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        models: dict[str, nn.Module] = {
            "unet": UNet2DConditionModel.from_config(_config(description, "unet")),
            "vae": AutoencoderKL.from_config(_config(description, "vae")),
        }
        for part in ("text_encoder", "text_encoder_2"):
            if (description / part).is_dir():
                models[part] = _text_encoder(_config(description, part))
    with torch.inference_mode():
        models["unet"].get_parameter("conv_out.weight").mul_(CALM)
    return {part: dict(model.state_dict()) for part, model in models.items()}


def transformers_tensors(state: Mapping[str, Tensor], start: str) -> dict[str, Tensor]:
    """A text encoder by its names in single files, which are those of older transformers."""
    return {
        start + (key if key == PROJECTION else f"text_model.{key.removeprefix('text_model.')}"): (
            tensor.contiguous()
        )
        for key, tensor in state.items()
    }


def open_clip_tensors(state: Mapping[str, Tensor], start: str) -> dict[str, Tensor]:
    """A text encoder as OpenCLIP stores it."""
    width = state[next(key for key in state if key.endswith("token_embedding.weight"))].shape[1]
    pieces: dict[str, dict[int, Tensor]] = {}
    for key, name in open_clip_names(state, start, width).items():
        piece = name if isinstance(name, Piece) else Piece(name)
        tensor = state[key].T if piece.transpose else state[key]
        pieces.setdefault(piece.key, {})[piece.start or 0] = tensor
    return {key: torch.cat([rows[start] for start in sorted(rows)]) for key, rows in pieces.items()}


def _text_encoder(config: dict[str, Any]) -> nn.Module:
    settings = CLIPTextConfig.from_dict(config)
    has_projection = "CLIPTextModelWithProjection" in config["architectures"]
    kind: type[nn.Module] = CLIPTextModelWithProjection if has_projection else CLIPTextModel
    return kind(settings)


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
