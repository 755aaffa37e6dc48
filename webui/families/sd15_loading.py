"""Loads Stable Diffusion 1.x: its three networks and its tokenizer, from either layout, offline.

Not from_pretrained or from_single_file: those ask the hub for what a file lacks, hide why one
can't be read, and keep weights mapped to the file. torch is imported inside the functions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from webui.core.errors import ModelUnreadable
from webui.families import ldm_layout
from webui.families.components import TEXT_ENCODER, Components, Placement, Prediction
from webui.families.vae_file import folder_names
from webui.families.weights import NameOf, TensorFiles, build, folder_files

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

VELOCITY_MARK: Final = "v_pred"
"""A tensor of this name marks single files that predict velocity."""

INPUTS: Final = (4, 9)
"""Channels that a UNet may take: plain, and for inpainting."""

TEXT_ROOT: Final = "embeddings.token_embedding.weight"

Config = dict[str, Any]


def load_folder(folder: Path, placement: Placement) -> Components:
    """The model in a diffusers folder. Raises ModelUnreadable."""
    name = folder.name
    config = partial(_read_config, name, folder)
    _check_inputs(name, int(config("unet").get("in_channels", 4)))
    with TensorFiles(name, folder_files(name, folder / "unet")) as files:
        unet = _unet(config("unet"), _same_names, files, placement)
    with TensorFiles(name, folder_files(name, folder / "vae")) as files:
        vae = _vae(config("vae"), partial(folder_names, files), files, placement)
    with TensorFiles(name, folder_files(name, folder / "text_encoder")) as files:
        names = partial(_text_names, _text_prefix(files, ("", "text_model.")))
        text_encoder = _text_encoder(config("text_encoder"), names, files, placement)
    schedule = config("scheduler", "scheduler_config.json")
    return Components(
        architecture="sd",
        diffusion_model=unet,
        vae=vae,
        text_encoders={TEXT_ENCODER: text_encoder},
        tokenizers={TEXT_ENCODER: _tokenizer(name, folder)},
        betas=_betas(name, schedule),
        prediction=_prediction(name, schedule),
    )


def load_file(path: Path, description: Path, placement: Placement) -> Components:
    """The model in a single file of the original layout; the folder `description` says what the
    file leaves out. Raises ModelUnreadable."""
    name = path.name
    config = partial(_read_config, name, description)
    schedule = config("scheduler", "scheduler_config.json")
    with TensorFiles(name, [path]) as files:
        _check_parts(files)
        layers = int(config("unet")["layers_per_block"])
        unet_names = partial(ldm_layout.unet_names, layers_per_block=layers)
        prefixes = (ldm_layout.TEXT_ENCODER + "text_model.", ldm_layout.TEXT_ENCODER)
        text_names = partial(_text_names, _text_prefix(files, prefixes))
        inputs = files.shape(ldm_layout.FIRST_LAYER)[1]
        unet_config = config("unet") | {"in_channels": inputs}
        text_encoder = _text_encoder(config("text_encoder"), text_names, files, placement)
        return Components(
            architecture="sd",
            diffusion_model=_unet(unet_config, unet_names, files, placement),
            vae=_vae(config("vae"), ldm_layout.vae_names, files, placement),
            text_encoders={TEXT_ENCODER: text_encoder},
            tokenizers={TEXT_ENCODER: _tokenizer(name, description)},
            betas=_betas(name, schedule),
            prediction=Prediction.VELOCITY if VELOCITY_MARK in files else Prediction.EPSILON,
        )


def _unet(
    config: Config, names: NameOf, files: TensorFiles, placement: Placement
) -> UNet2DConditionModel:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    return build(partial(UNet2DConditionModel.from_config, config), names, files, placement)


def _vae(config: Config, names: NameOf, files: TensorFiles, placement: Placement) -> AutoencoderKL:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    return build(partial(AutoencoderKL.from_config, config), names, files, placement)


def _text_encoder(
    config: Config, names: NameOf, files: TensorFiles, placement: Placement
) -> CLIPTextModel:
    import torch
    from transformers import CLIPTextConfig, CLIPTextModel

    settings = CLIPTextConfig.from_dict(config)
    model: CLIPTextModel = build(partial(CLIPTextModel, settings), names, files, placement)
    # this buffer is in no file, so it is still without storage
    positions = torch.arange(settings.max_position_embeddings, device=placement.device)[None]
    getattr(model, "text_model", model).embeddings.position_ids = positions
    return model


def _tokenizer(name: str, folder: Path) -> CLIPTokenizer:
    from transformers import CLIPTokenizer

    try:
        return CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    except (OSError, ValueError, TypeError) as error:
        raise ModelUnreadable(
            name, f"its tokenizer can't be read ({error}). Download the model again."
        ) from error


def _same_names(keys: Iterable[str]) -> dict[str, str]:
    return {key: key for key in keys}


def _text_prefix(files: TensorFiles, prefixes: Iterable[str]) -> str:
    """What stands before each name of the text encoder: libraries and tools disagree."""
    for prefix in prefixes:
        if prefix + TEXT_ROOT in files:
            return prefix
    raise ModelUnreadable(
        files.name,
        "it has no text encoder that this version knows. Choose a complete version of the model.",
    )


def _text_names(prefix: str, keys: Iterable[str]) -> dict[str, str]:
    return {key: prefix + key.removeprefix("text_model.") for key in keys}


def _check_parts(files: TensorFiles) -> None:
    if ldm_layout.FIRST_LAYER not in files:
        raise ModelUnreadable(files.name, "it has no UNet. Choose a complete version of the model.")
    _check_inputs(files.name, files.shape(ldm_layout.FIRST_LAYER)[1])
    if not any(key.startswith(ldm_layout.VAE) for key in files):
        raise ModelUnreadable(
            files.name,
            "it has no VAE, the part that turns the result into pixels. "
            "Choose a version of the model that includes one.",
        )


def _check_inputs(name: str, channels: int) -> None:
    if channels not in INPUTS:
        kind = "an editing (pix2pix)" if channels == 8 else "another"
        raise ModelUnreadable(
            name,
            f"its UNet takes {channels} channels, not 4 or 9: it is {kind} model, which this "
            "version can't run yet. Choose a plain or an inpainting version.",
        )


def _read_config(name: str, folder: Path, part: str, file: str = "config.json") -> Config:
    try:
        return dict(json.loads((folder / part / file).read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise ModelUnreadable(
            name, f"its {part}/{file} can't be read ({error}). Download the model again."
        ) from error


def _betas(name: str, schedule: Config) -> tuple[float, ...]:
    if schedule.get("rescale_betas_zero_snr"):
        raise ModelUnreadable(
            name, "it was trained with zero terminal SNR, which this version can't run yet."
        )
    first, last = float(schedule.get("beta_start", 0.0001)), float(schedule.get("beta_end", 0.02))
    count = int(schedule.get("num_train_timesteps", 1000))
    match schedule.get("beta_schedule", "linear"):
        case "linear":
            return tuple(_line(first, last, count))
        case "scaled_linear":
            return tuple(beta**2 for beta in _line(first**0.5, last**0.5, count))
    raise ModelUnreadable(
        name, f"its noise schedule “{schedule.get('beta_schedule')}” is unknown to this version."
    )


def _line(first: float, last: float, count: int) -> Iterable[float]:
    return (first + (last - first) * i / (count - 1) for i in range(count))


def _prediction(name: str, schedule: Config) -> Prediction:
    given = str(schedule.get("prediction_type", "epsilon"))
    try:
        return Prediction(given)
    except ValueError as error:
        raise ModelUnreadable(
            name, f"it predicts “{given}”, which this version can't run yet."
        ) from error
