"""VAE files: the catalog's. One is chosen for the job; the engine loads it when it is needed."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from modules import gesso_models, paths, shared
from modules.sd_models import read_state_dict
from webui.compat.missing import unprovided
from webui.core.model import ModelKind

vae_path = os.path.abspath(os.path.join(paths.models_path, "VAE"))
vae_ignore_keys = {"model_ema.decay", "model_ema.num_updates"}
vae_dict: dict[str, str] = {}
base_vae: Any = None
loaded_vae_file: str | None = None
checkpoint_info: Any = None
unspecified = object()
checkpoints_loaded: dict[Any, Any] = {}


class VaeResolution(NamedTuple):
    """Which VAE it is, and what chose it."""

    vae: str | None = None
    source: str | None = None
    resolved: bool = True

    def tuple(self) -> Any:
        """The file and what chose it."""
        return self.vae, self.source


def get_filename(filepath: str) -> str:
    """A file's name without its folder."""
    return os.path.basename(filepath)


def get_loaded_vae_name() -> str | None:
    """The name of the chosen VAE."""
    return None if loaded_vae_file is None else os.path.basename(loaded_vae_file)


def get_loaded_vae_hash() -> str | None:
    """The hash of the chosen VAE, if it is known."""
    for model in gesso_models.models(ModelKind.VAE):
        if str(model.path) == loaded_vae_file and model.hash:
            return model.hash[:10]
    return None


def get_base_vae(model: Any) -> Any:
    """The checkpoint's own is always kept by the engine."""


def store_base_vae(model: Any) -> None:
    """The checkpoint's own is always kept by the engine."""


def delete_base_vae() -> None:
    """The checkpoint's own is always kept by the engine."""


def restore_base_vae(model: Any) -> None:
    """Take the checkpoint's own from now on."""
    reload_vae_weights(model, None)


def refresh_vae_list() -> None:
    """Fill the list with what the catalog has."""
    vae_dict.clear()
    for model in gesso_models.models(ModelKind.VAE):
        vae_dict[model.path.name] = str(model.path)


def find_vae_near_checkpoint(checkpoint_file: str) -> str | None:
    """A VAE that lies beside a checkpoint and has its name."""
    stem = os.path.basename(checkpoint_file).rsplit(".", 1)[0]
    return next((path for name, path in vae_dict.items() if name.startswith(stem)), None)


find_vae = find_vae_near_checkpoint


def resolve_vae(checkpoint_file: str) -> VaeResolution:
    """The VAE of a checkpoint, as the options say."""
    chosen = str(shared.opts.data.get("sd_vae", "Automatic"))
    if chosen in vae_dict:
        return VaeResolution(vae_dict[chosen], "specified in settings")
    near = None if chosen == "None" else find_vae_near_checkpoint(checkpoint_file)
    return VaeResolution(near, "found near the checkpoint" if near else None)


def load_vae_dict(filename: str, map_location: Any = None) -> dict[str, Any]:
    """The tensors of a VAE's file."""
    tensors = read_state_dict(filename, map_location=map_location)
    return {key: value for key, value in tensors.items() if key not in vae_ignore_keys}


def load_vae(model: Any, vae_file: str | None = None, vae_source: str = "from unknown") -> None:
    """Choose a VAE for what the job makes from now on."""
    reload_vae_weights(model, vae_file)


def reload_vae_weights(sd_model: Any = None, vae_file: Any = unspecified) -> Any:
    """Choose a VAE for what the job makes from now on; without one, what the options say."""
    state = globals()
    if vae_file is unspecified:
        current = gesso_models.current()
        vae_file = None if current is None else resolve_vae(str(current.path)).vae
    state["loaded_vae_file"] = vae_file
    shared.opts.data["sd_vae"] = "Automatic" if vae_file is None else os.path.basename(vae_file)
    return sd_model


def clear_loaded_vae() -> None:
    """Forget what was chosen."""
    globals()["loaded_vae_file"] = None


refresh_vae_list()
__getattr__ = unprovided(__name__)
