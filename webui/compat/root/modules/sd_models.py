"""Checkpoints: the catalog's, under the names that scripts know, and the model of the job."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import threading
from pathlib import Path
from typing import Any

from modules import gesso_models, hashes, paths, script_callbacks, shared
from modules.gesso import side
from modules.gesso_sd_model import SdModel
from modules.shared_cmd_options import cmd_opts
from webui.compat.missing import unprovided
from webui.core.errors import GessoError
from webui.core.model import ModelInfo, ModelKind
from webui.modelfiles.header import read_front

__all__ = ["cmd_opts", "script_callbacks"]

log = logging.getLogger("a1111")

model_dir = "Stable-diffusion"
model_path = os.path.abspath(os.path.join(paths.models_path, model_dir))
_TITLE_HASH = re.compile(r"\s*\[([^]]+)\]\s*$")
LEGACY_START = 0x100000
LEGACY_BYTES = 0x10000


class CheckpointInfo:
    """A checkpoint. `title` is what people choose: its name, and its short hash if it is known."""

    def __init__(self, filename: str) -> None:
        self.filename = str(filename)
        info = _info_of(self.filename)
        self.info = info
        """core.model.ModelInfo; None for a file that the catalog lacks. Not a name of A1111's."""
        self.name = _name(self.filename, info)
        self.name_for_extra = os.path.splitext(os.path.basename(self.filename))[0]
        self.model_name = os.path.splitext(self.name.replace("/", "_").replace("\\", "_"))[0]
        self.is_safetensors = self.filename.lower().endswith(".safetensors")
        self.metadata = read_metadata_from_safetensors(self.filename)
        self.modelspec_thumbnail = self.metadata.get("modelspec.thumbnail")
        self.sha256 = info.hash if info is not None else None
        self.hash = model_hash(self.filename)
        self.shorthash = self.sha256[:10] if self.sha256 else None
        self.title = f"{self.name} [{self.shorthash}]" if self.shorthash else self.name
        self.short_title = (
            f"{self.name_for_extra} [{self.shorthash}]" if self.shorthash else self.name_for_extra
        )
        self.ids = [self.model_name, self.title, self.name, self.name_for_extra]
        self.ids += [self.hash, f"{self.name} [{self.hash}]"]
        if self.shorthash and self.sha256:
            self.ids += [self.shorthash, self.sha256, self.short_title]
        self.filename = _weights_of(self.filename)

    def register(self) -> None:
        """Into the lists."""
        checkpoints_list[self.title] = self
        for id in self.ids:
            checkpoint_aliases[id] = self

    def calculate_shorthash(self) -> str | None:
        """Its short hash, computed now if it is not known."""
        self.sha256 = hashes.sha256(self.filename, f"checkpoint/{self.name}")
        if self.sha256 is None:
            return None
        checkpoints_list.pop(self.title, None)
        self.shorthash = self.sha256[:10]
        self.title = f"{self.name} [{self.shorthash}]"
        self.short_title = f"{self.name_for_extra} [{self.shorthash}]"
        self.ids += [self.shorthash, self.sha256, self.title, self.short_title]
        self.register()
        return self.shorthash


checkpoints_list: dict[str, CheckpointInfo] = {}
checkpoint_aliases: dict[str, CheckpointInfo] = {}
checkpoint_alisases = checkpoint_aliases
"""A1111's own slip, kept because scripts ask for it."""
checkpoints_loaded: dict[Any, Any] = {}


def setup_model() -> None:
    """The folder is there, and the lists are filled."""
    os.makedirs(model_path, exist_ok=True)
    list_models()


def checkpoint_tiles(use_short: bool = False) -> list[str]:
    """Titles, in the order of names."""
    return [each.short_title if use_short else each.title for each in checkpoints_list.values()]


def list_models() -> None:
    """Fill the lists with what the catalog has."""
    checkpoints_list.clear()
    checkpoint_aliases.clear()
    for model in gesso_models.models(ModelKind.CHECKPOINT):
        CheckpointInfo(str(model.path)).register()


def get_closet_checkpoint_match(search_string: str) -> CheckpointInfo | None:
    """The checkpoint of a title, name or hash, or whose title has these words; None if none."""
    if not search_string:
        return None
    wanted = str(search_string)
    found = checkpoint_aliases.get(wanted)
    if found is not None:
        return found
    bare = _TITLE_HASH.sub("", wanted)
    for words in (wanted, bare):
        titled = [each for each in checkpoints_list.values() if words in each.title]
        if titled:
            return min(titled, key=lambda each: len(each.title))
    return None


def model_hash(filename: str) -> str:
    """A1111's old hash: of 64 KiB in the middle of the file."""
    try:
        with open(filename, "rb") as file:
            file.seek(LEGACY_START)
            return hashlib.sha256(file.read(LEGACY_BYTES)).hexdigest()[:8]
    except OSError:
        return "NOFILE"


def select_checkpoint() -> CheckpointInfo:
    """The one that the options name, or the studio's. Raises FileNotFoundError if there is none."""
    chosen = get_closet_checkpoint_match(shared.opts.data.get("sd_model_checkpoint") or "")
    current = gesso_models.current()
    if chosen is None and current is not None:
        chosen = get_closet_checkpoint_match(str(current.name)) or CheckpointInfo(str(current.path))
    if chosen is None:
        chosen = next(iter(checkpoints_list.values()), None)
    if chosen is None:
        raise FileNotFoundError("No checkpoints found. Put one into the folder of models.")
    return chosen


def read_metadata_from_safetensors(filename: str) -> dict[str, Any]:
    """What the maker of a file wrote into it; empty for other kinds of files."""
    if not str(filename).lower().endswith(".safetensors"):
        return {}
    try:
        return dict(read_front(Path(filename)).metadata)
    except (GessoError, OSError, ValueError) as error:
        log.info("%s can't be read: %s", filename, error)
        return {}


def get_state_dict_from_checkpoint(pl_sd: dict[str, Any]) -> dict[str, Any]:
    """The tensors of a checkpoint that was read, without what lies around them."""
    inner = pl_sd.pop("state_dict", pl_sd)
    inner.pop("state_dict", None)
    return inner


def read_state_dict(
    checkpoint_file: str, print_global_state: bool = False, map_location: Any = None
) -> dict[str, Any]:
    """The tensors of a file. Pickles may hold nothing but tensors."""
    place = map_location or "cpu"
    if os.path.splitext(checkpoint_file)[1].lower() == ".safetensors":
        from safetensors.torch import load_file

        return load_file(checkpoint_file, device=str(place))
    import torch

    return get_state_dict_from_checkpoint(
        torch.load(checkpoint_file, map_location=place, weights_only=True)
    )


def get_checkpoint_state_dict(checkpoint_info: CheckpointInfo, timer: Any = None) -> dict[str, Any]:
    """The tensors of a checkpoint."""
    return read_state_dict(checkpoint_info.filename)


class SdModelData:
    """The model of the job, which scripts look at and may put another in place of."""

    def __init__(self) -> None:
        self.sd_model: Any = None
        self.loaded_sd_models: list[Any] = []
        self.was_loaded_at_least_once = False
        self.lock = threading.Lock()

    def get_sd_model(self) -> Any:
        """A view of the checkpoint in use; None while there is none."""
        if self.sd_model is not None and not isinstance(self.sd_model, SdModel):
            return self.sd_model
        current = gesso_models.current()
        if current is None:
            return None
        known = self.sd_model
        if known is None or known.info != current or known.engine is not side.engine:
            self.sd_model = SdModel(current, side.engine)
            self.loaded_sd_models = [self.sd_model]
            self.was_loaded_at_least_once = True
        return self.sd_model

    def set_sd_model(self, v: Any, already_loaded: bool = False) -> None:
        """Let scripts see another."""
        self.sd_model = v


model_data = SdModelData()


class SkipWritingToConfig:
    """While it is entered, a chosen checkpoint is not kept; here it never is."""

    skip = False
    previous: Any = None

    def __enter__(self) -> None:
        self.previous = SkipWritingToConfig.skip
        SkipWritingToConfig.skip = True

    def __exit__(self, *error: object) -> None:
        SkipWritingToConfig.skip = bool(self.previous)


def reload_model_weights(
    sd_model: Any = None, info: Any = None, forced_reload: bool = False
) -> Any:
    """Choose the checkpoint of what this job makes from now on. It is loaded when it is needed."""
    chosen = info or select_checkpoint()
    if isinstance(chosen, str):
        chosen = get_closet_checkpoint_match(chosen)
    if chosen is None:
        raise FileNotFoundError(f"There is no checkpoint {info}.")
    shared.opts.data["sd_model_checkpoint"] = chosen.title
    if getattr(chosen, "info", None) is not None and side.studio is None:
        side.model = chosen.info
    return model_data.get_sd_model()


def load_model(checkpoint_info: Any = None, already_loaded_state_dict: Any = None) -> Any:
    """As `reload_model_weights`."""
    if already_loaded_state_dict is not None:
        raise NotImplementedError(
            "A model can't be made of tensors here: the engine reads files. Save it to a file in "
            "the folder of models."
        )
    return reload_model_weights(info=checkpoint_info)


reload_model = load_model


def unload_model_weights(sd_model: Any = None, info: Any = None) -> Any:
    """The engine decides itself what stays in memory."""
    return sd_model


def send_model_to_cpu(m: Any) -> None:
    """The engine decides itself what lies where."""


def send_model_to_device(m: Any) -> None:
    """The engine decides itself what lies where."""


def send_model_to_trash(m: Any) -> None:
    """The engine decides itself what stays in memory."""


def apply_token_merging(sd_model: Any, token_merging_ratio: float) -> None:
    """Token merging is not built in: 0 is what every model has."""
    if token_merging_ratio:
        log.info("Token merging is not built in; the ratio %s has no effect.", token_merging_ratio)


def reuse_model_from_already_loaded(sd_model: Any, checkpoint_info: Any, timer: Any) -> Any:
    """The view of the model in use."""
    return model_data.get_sd_model()


def _info_of(filename: str) -> ModelInfo | None:
    for model in gesso_models.models(ModelKind.CHECKPOINT):
        if str(model.path) == filename:
            return model
    return None


def _weights_of(filename: str) -> str:
    """Of a checkpoint that is a folder its largest file, as scripts open what they are told."""
    files = list(Path(filename).rglob("*.safetensors")) if os.path.isdir(filename) else []
    return str(max(files, key=lambda file: file.stat().st_size)) if files else filename


def _name(filename: str, info: ModelInfo | None) -> str:
    """The catalog's id; of a stranger its place below the folder of models."""
    if info is not None:
        return info.id
    for base in (shared.cmd_opts.ckpt_dir, model_path, paths.models_path):
        if base and os.path.abspath(filename).startswith(os.path.abspath(base) + os.sep):
            return os.path.relpath(filename, base)
    return os.path.basename(filename)


list_models()
_refuse = unprovided(__name__)


def __getattr__(name: str) -> Any:
    if name == "checkpoint_info":
        return select_checkpoint()
    return _refuse(name)
