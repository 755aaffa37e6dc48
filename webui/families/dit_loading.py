"""Loads models of the transformer kind, SD 3, Flux and Chroma, from every layout, offline.

A file may be whole, or the network alone; parts that it lacks come from files of their own. torch
and diffusers are imported inside the functions.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from webui.core.errors import ModelUnreadable
from webui.families.clip_file import (
    PROJECTION,
    TOKENIZER,
    load_clip,
    load_tokenizer,
)
from webui.families.components import Components, Placement, Prediction, Shift
from webui.families.dit_plan import T5, VAE, Config, Kind, Network, Plan, Reader
from webui.families.language_model import LANGUAGE_MODELS, load_language_model
from webui.families.language_tokenizer import load_language_tokenizer
from webui.families.seeing_model import load_seeing_model
from webui.families.t5 import load_t5, load_t5_tokenizer
from webui.families.vae_file import folder_names, load_vae, vae_in, vae_prefix
from webui.families.vae_kinds import is_plain, load_other_vae, make_vae
from webui.families.weights import Piece, TensorFiles, build, folder_files
from webui.modelfiles.config import harmless_config
from webui.modelfiles.shards import files_of

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from torch import nn

SCHEDULER: Final = Path("scheduler") / "scheduler_config.json"


def load_file(
    path: Path, plan: Plan, kind: Kind, placement: Placement, parts: Mapping[str, Path]
) -> Components:
    """The model in a single file; `parts` bring what it lacks. Raises ModelUnreadable."""
    placement = wide(placement)
    encoders: dict[str, Any] = {}
    with TensorFiles(path.name, files_of(path)) as files:
        network = load_network(files, plan.network, placement)
        vae = _vae_of(files, plan, placement, parts)
        for each in plan.readers:
            found = _encoder_of(files, each, placement, parts)
            encoders |= {} if found is None else {each.name: found}
    tokenizers = {
        each.name: _tokenizer(path.name, each, None, parts.get(each.part, path))
        for each in plan.readers
        if each.name in encoders
    }
    return _components(plan, kind, network, vae, encoders, tokenizers)


def load_folder(folder: Path, plan: Plan, kind: Kind, placement: Placement) -> Components:
    """The model in a diffusers folder. Raises ModelUnreadable."""
    name, placement = folder.name, wide(placement)
    with TensorFiles(name, folder_files(name, folder / "transformer")) as files:
        config = read_config(name, folder / "transformer" / "config.json")
        network = _built(files, plan.network, config, _same_names, placement)
    with TensorFiles(name, folder_files(name, folder / VAE)) as files:
        config = dict(plan.vae) | read_config(name, folder / VAE / "config.json")
        vae = _vae(config, files, placement)
    readers = [each for each in plan.readers if (folder / each.name).is_dir()]
    encoders = {}
    for each in readers:
        with TensorFiles(name, folder_files(name, folder / each.name)) as files:
            encoders[each.name] = _encoder(files, each, placement, has_projection=None)
    tokenizers = {each.name: _tokenizer(name, each, folder / each.tokenizer) for each in readers}
    shift = kind.shift if kind.is_shift_known else folder_shift(folder, kind.shift)
    told = replace(kind, shift=shift)
    return _components(plan, told, network, vae, encoders, tokenizers)


def load_network(files: TensorFiles, network: Network, placement: Placement) -> nn.Module:
    """The network in a file, in either naming. Raises ModelUnreadable."""
    if (start := network.start(files)) is not None:
        config = network.settings(lambda key: files.shape(f"{start}{key}"), _keys(files, start))
        width = files.shape(start + network.width)[0]
        names = partial(network.names, width=width, start=start)
        return _built(files, network, config, names, placement)
    if (start := network.diffusers_start(files)) is not None:
        config = _settings_of_diffusers(files, network, start)
        names = partial(_same_names, start=start)
        return _built(files, network, config, names, placement)
    raise ModelUnreadable(
        files.name, "it has no network that this version knows. Look for another version of it."
    )


def wide(placement: Placement) -> Placement:
    """These networks were trained in bfloat16, and some numbers in them are beyond the range of
    float16; so bfloat16 where the device computes in it."""
    import torch

    if placement.dtype is not torch.float16 or placement.device.type != "cuda":
        return placement
    has_bfloat16 = torch.cuda.get_device_capability(placement.device) >= (8, 0)
    return replace(placement, dtype=torch.bfloat16) if has_bfloat16 else placement


def read_config(name: str, file: Path) -> Config:
    """The settings of a part of a folder. Raises ModelUnreadable."""
    try:
        return harmless_config(file)
    except (OSError, ValueError) as error:
        raise ModelUnreadable(
            name,
            f"its {file.parent.name}/{file.name} can't be read ({error}). "
            "Download the model again.",
        ) from error


def read_settings(file: Path) -> Config:
    """As `read_config`; nothing where it can't be read: loading says what is wrong."""
    try:
        return read_config("", file)
    except ModelUnreadable:
        return {}


def read_index(folder: Path) -> Config:
    """What a diffusers folder says of its parts. Raises ModelUnreadable."""
    return read_config(folder.name, folder / "model_index.json")


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shapes of a file's tensors. Raises ModelUnreadable."""
    with TensorFiles(path.name, files_of(path)) as files:
        return {key: files.shape(key) for key in files}


def folder_shift(folder: Path, usual: Shift) -> Shift:
    """What a folder's scheduler says of the steps; `usual` where it says nothing."""
    try:
        told = json.loads((folder / SCHEDULER).read_text("utf-8"))
        if told.get("use_dynamic_shifting"):
            return Shift(
                small=float(told.get("base_shift", 0.5)),
                large=float(told.get("max_shift", 1.15)),
                small_tokens=int(told.get("base_image_seq_len", 256)),
                large_tokens=int(told.get("max_image_seq_len", 4096)),
            )
        return Shift(value=float(told["shift"])) if "shift" in told else usual
    except (OSError, ValueError, TypeError):
        return usual


def _components(
    plan: Plan,
    kind: Kind,
    network: Any,
    vae: AutoencoderKL,
    encoders: Mapping[str, Any],
    tokenizers: Mapping[str, Any],
) -> Components:
    absent = [each for each in plan.readers if each.name not in encoders]
    notes = [
        f"The model runs without its {each.label} text encoder, so it follows long prompts less "
        f"closely. Put {each.files} into models/text_encoders to have it."
        for each in absent
    ]
    return Components(
        architecture=kind.architecture,
        diffusion_model=network,
        vae=vae,
        text_encoders=encoders,
        tokenizers=tokenizers,
        prediction=Prediction.EPSILON if kind.betas else Prediction.FLOW,
        betas=kind.betas,
        shift=kind.shift,
        notes=(*kind.notes, *notes),
        original_names=partial(
            plan.network.names, width=int(attrgetter(plan.network.inner)(network))
        ),
    )


def _settings_of_diffusers(files: TensorFiles, network: Network, start: str) -> Config:
    """The settings of a network whose file has diffusers' names but no config.json: its names are
    told in the original's first."""
    names = network.names(_keys(files, start), width=1, start="")
    told = {name: key for key, name in names.items() if isinstance(name, str) or name.start is None}
    plain = {name if isinstance(name, str) else name.key: key for name, key in told.items()}
    originals = {name if isinstance(name, str) else name.key for name in names.values()}
    return network.settings(lambda key: files.shape(start + plain[key]), originals)


def _built(
    files: TensorFiles,
    network: Network,
    config: Config,
    names: Callable[[Collection[str]], Mapping[str, str | Piece]],
    placement: Placement,
) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the library's Chroma warns of its parts
        model: nn.Module = build(partial(network.make, config), names, files, placement)
    return model


def _same_names(keys: Collection[str], start: str = "") -> Mapping[str, str | Piece]:
    return {key: start + key for key in keys}


def _keys(files: TensorFiles, start: str) -> set[str]:
    """The names that begin so, without it."""
    return {key.removeprefix(start) for key in files if key.startswith(start)}


def _vae_of(
    files: TensorFiles, plan: Plan, placement: Placement, parts: Mapping[str, Path]
) -> AutoencoderKL:
    if vae_prefix(files) is not None:
        return vae_in(files, plan.vae, placement)
    if VAE in parts:
        return load_vae(parts[VAE], plan.vae, placement)
    raise ModelUnreadable(
        files.name,
        "it has no VAE, the part that turns the result into pixels. "
        f"Put {plan.vae_file} into models/vae.",
    )


def _vae(config: Config, files: TensorFiles, placement: Placement) -> AutoencoderKL:
    if not is_plain(config):
        return cast("AutoencoderKL", load_other_vae(files, config, placement))
    return build(partial(make_vae, config), partial(folder_names, files), files, placement)


def _encoder_of(
    files: TensorFiles, reader: Reader, placement: Placement, parts: Mapping[str, Path]
) -> Any:
    """A text encoder of the checkpoint or of its own file; None for one that may be absent."""
    if reader.is_in(files):
        return _encoder(files, reader, placement, reader.starts)
    if (path := parts.get(reader.part)) is not None:
        with TensorFiles(path.name, files_of(path)) as own:
            return _encoder(own, reader, placement)
    if reader.is_optional:
        return None
    raise ModelUnreadable(
        files.name,
        f"it has no {reader.label} text encoder. Put {reader.files} into models/text_encoders.",
    )


def _encoder(
    files: TensorFiles,
    reader: Reader,
    placement: Placement,
    starts: tuple[str, ...] = (),
    *,
    has_projection: bool | None = False,
) -> Any:
    """`has_projection`: None asks the file for one that its model may do without."""
    given: dict[str, Any] = {"starts": starts} if starts else {}
    if reader.part in LANGUAGE_MODELS:
        load = load_seeing_model if reader.sees else load_language_model
        return load(files, reader.part, placement, **given)
    if reader.part == T5:
        return load_t5(files, placement, **given)
    if has_projection is None:
        has_projection = PROJECTION in files
    config = _clip_settings(files, reader)
    projects = reader.has_projection or has_projection
    return load_clip(files, config, placement, has_projection=projects, **given)


def _tokenizer(name: str, reader: Reader, folder: Path | None, beside: Path | None = None) -> Any:
    """From a folder of its own; `beside` is the file of its text encoder, where there is none."""
    if reader.part in LANGUAGE_MODELS:
        return load_language_tokenizer(name, reader.part, folder or beside)
    if reader.part == T5:
        return load_t5_tokenizer(name, folder)
    return load_tokenizer(name, folder or TOKENIZER, None if folder else reader.pad)


def _clip_settings(files: TensorFiles, reader: Reader) -> Config:
    """What the shapes tell of a CLIP: its heads are 64 wide, its inner layers 4 times as wide."""
    tables = [key for key in files if key.endswith("token_embedding.weight")]
    if not tables:
        raise ModelUnreadable(
            files.name, f"it has no {reader.label} text encoder. Look for another version of it."
        )
    table = next((key for key in tables if reader.part in key), tables[0])
    words, width = files.shape(table)
    start = table.removesuffix("token_embedding.weight").removesuffix("embeddings.")
    layers = {
        key.removeprefix(start).split("layers.")[-1].split("resblocks.")[-1].split(".")[0]
        for key in files
        if key.startswith(start) and ("layers." in key or "resblocks." in key)
    }
    return {
        "vocab_size": words,
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "projection_dim": width,
        "num_hidden_layers": len(layers),
        "num_attention_heads": max(1, width // 64),
        "max_position_embeddings": 77,
        "hidden_act": reader.activation,
        "bos_token_id": 49406,
        "eos_token_id": 49407,
        "pad_token_id": 1,
    }
