"""Loads Stable Diffusion 1, 2 and XL: networks and tokenizers, from every layout, offline.

Not from_pretrained or from_single_file: those ask the hub for what a file lacks, hide why one
can't be read, and keep weights mapped to the file. torch is imported inside the functions.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from webui.core.errors import ModelUnreadable
from webui.families import sd_variants
from webui.families.clip_file import FILE_STARTS, find_clip, load_clip, load_tokenizer
from webui.families.components import TEXT_ENCODER, Components, Placement, Prediction
from webui.families.schedule_config import ask_network, read_training, said_beside, said_in
from webui.families.unet_file import find_unet, unet_config
from webui.families.vae_file import folder_names, load_vae, vae_in, vae_prefix
from webui.families.weights import NameOf, TensorFiles, build, folder_files
from webui.modelfiles.config import harmless_config

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

Config = dict[str, Any]
VAE_PART: Final = "vae"


@dataclass(frozen=True, kw_only=True)
class Reader:
    """One text encoder of a family."""

    name: str = TEXT_ENCODER
    """Also that of its folder in diffusers' layout."""
    part: str
    """The id of files that hold it alone."""
    label: str
    files: str
    """What such files are called, for people."""
    starts: tuple[str, ...]
    """What stands before its names in whole checkpoints."""
    has_projection: bool = False
    """It also tells the text as a whole."""
    pad: str | None = None
    """Fills up texts, where that is not the tokenizer's own."""

    @property
    def tokenizer(self) -> str:
        """The folder of its tokenizer."""
        return self.name.replace(TEXT_ENCODER, "tokenizer")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a family's models are made of. The folder `description` says what single files leave
    out."""

    architecture: str
    description: Path
    readers: tuple[Reader, ...]
    may_ask_network: bool = False
    """Where nothing says what the network answers, it is asked."""
    is_mostly_convolutions: bool = False
    """On a GPU its UNet is then 15 % faster with the channels last; others and VAEs are slower."""

    def architecture_of(self, words: Iterable[str]) -> str:
        """Which architecture asks a model with these words (see sd_variants)."""
        is_told = sd_variants.TOLD_LCM in words
        return f"{self.architecture}_lcm" if is_told else self.architecture

    def unet_placement(self, placement: Placement) -> Placement:
        """How the UNet lies in memory."""
        if placement.device.type == "cpu" or not self.is_mostly_convolutions:
            return placement
        return replace(placement, is_channels_last=True)


def missing_parts(names: Container[str], readers: tuple[Reader, ...]) -> tuple[str, ...]:
    """The ids of the parts that a file with tensors of these names lacks."""
    missing = [each.part for each in readers if find_clip(names, each.starts) is None]
    if vae_prefix(names) is None:
        missing.append(VAE_PART)
    return tuple(missing)


def load_folder(folder: Path, plan: Plan, placement: Placement) -> Components:
    """The model in a diffusers folder. Raises ModelUnreadable."""
    name = folder.name
    config = partial(read_config, name, folder)
    schedule = config("scheduler", "scheduler_config.json")
    index = config("", "model_index.json")
    words = sd_variants.folder_words(config("unet"), schedule, index)
    sd_variants.check_words(name, words)
    training = read_training(name, schedule)
    with TensorFiles(name, folder_files(name, folder / "unet")) as files:
        unet = _unet(
            config("unet"),
            lambda keys: {key: key for key in keys},
            files,
            plan.unet_placement(placement),
        )
    with TensorFiles(name, folder_files(name, folder / "vae")) as files:
        vae = _vae(config("vae"), partial(folder_names, files), files, placement)
    encoders = {}
    for each in plan.readers:
        with TensorFiles(name, folder_files(name, folder / each.name)) as files:
            encoders[each.name] = load_clip(
                files, config(each.name), placement, has_projection=each.has_projection
            )
    return Components(
        architecture=plan.architecture_of(words),
        diffusion_model=unet,
        vae=vae,
        text_encoders=encoders,
        tokenizers={
            each.name: load_tokenizer(name, folder / each.tokenizer) for each in plan.readers
        },
        betas=training.betas,
        prediction=training.prediction,
        has_zero_terminal_snr=training.has_zero_terminal_snr,
    )


def load_file(
    path: Path, plan: Plan, placement: Placement, parts: Mapping[str, Path]
) -> Components:
    """The model in a single file, whole or its UNet alone; `parts` bring what it lacks. Raises
    ModelUnreadable."""
    name = path.name
    config = partial(read_config, name, plan.description)
    with TensorFiles(name, [path]) as files:
        shapes = {key: files.shape(key) for key in files}
        found = find_unet(shapes)
        if found is None:
            raise ModelUnreadable(name, "it has no UNet. Choose a complete version of the model.")
        metadata = read_metadata(path)
        words = sd_variants.words_of(shapes, found, metadata)
        sd_variants.check_words(name, words)
        like = unet_config(config("unet"), shapes, found)
        training = read_training(name, config("scheduler", "scheduler_config.json"))
        prediction = _said(path, words, metadata)
        if prediction is None and plan.may_ask_network:
            prediction = ask_network(partial(_unet, like, found.names, files))
        unet = _unet(like, found.names, files, plan.unet_placement(placement))
        vae = _vae_of(files, config("vae"), placement, parts)
        encoders = {
            each.name: _encoder_of(files, each, config(each.name), placement, parts)
            for each in plan.readers
        }
    return Components(
        architecture=plan.architecture_of(words),
        diffusion_model=unet,
        vae=vae,
        text_encoders=encoders,
        tokenizers={
            each.name: load_tokenizer(name, plan.description / each.tokenizer, each.pad)
            for each in plan.readers
        },
        betas=training.betas,
        prediction=prediction or training.prediction,
        has_zero_terminal_snr=sd_variants.ZERO_SNR in words,
    )


def read_config(name: str, folder: Path, part: str, file: str = "config.json") -> Config:
    """The settings of a part in a folder. Raises ModelUnreadable."""
    try:
        return harmless_config(folder / part / file)
    except (OSError, ValueError) as error:
        shown = f"{part}/{file}" if part else file
        raise ModelUnreadable(
            name, f"its {shown} can't be read ({error}). Download the model again."
        ) from error


def read_metadata(path: Path) -> Mapping[str, str]:
    """What a safetensors file says of itself; nothing for files of other kinds."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError):
        return {}


def _unet(
    config: Config, names: NameOf, files: TensorFiles, placement: Placement
) -> UNet2DConditionModel:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    return build(partial(UNet2DConditionModel.from_config, config), names, files, placement)


def _vae(config: Config, names: NameOf, files: TensorFiles, placement: Placement) -> AutoencoderKL:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    make = partial(AutoencoderKL.from_config, config)
    return build(make, names, files, placement.for_vae)


def _vae_of(
    files: TensorFiles, like: Config, placement: Placement, parts: Mapping[str, Path]
) -> AutoencoderKL:
    if vae_prefix(files) is not None:
        return vae_in(files, like, placement)
    if VAE_PART in parts:
        return load_vae(parts[VAE_PART], like, placement)
    raise ModelUnreadable(
        files.name,
        "it has no VAE, the part that turns the result into pixels. Put the VAE of its family into "
        "models/VAE, or choose a version of the model that includes one.",
    )


def _encoder_of(
    files: TensorFiles,
    reader: Reader,
    config: Config,
    placement: Placement,
    parts: Mapping[str, Path],
) -> Any:
    ways: Any = {"has_projection": reader.has_projection}
    if find_clip(files, reader.starts) is not None:
        return load_clip(files, config, placement, reader.starts, **ways)
    if reader.part not in parts:
        raise ModelUnreadable(
            files.name,
            f"it has no text encoder ({reader.label}). Put {reader.files} into "
            "models/text_encoders, or choose a complete version of the model.",
        )
    path = parts[reader.part]
    with TensorFiles(path.name, [path]) as own:
        return load_clip(own, config, placement, FILE_STARTS, **ways)


def _said(path: Path, words: tuple[str, ...], metadata: Mapping[str, str]) -> Prediction | None:
    """What a file, or the settings beside it, say of what the network answers."""
    if sd_variants.VELOCITY in words:
        return Prediction.VELOCITY
    return said_in(metadata) or said_beside(path)
