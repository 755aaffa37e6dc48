"""Files of models."""

from __future__ import annotations

import os
from typing import Any

from modules import gesso_upscalers, shared
from modules.upscaler import Upscaler, UpscalerLanczos, UpscalerNearest, UpscalerNone
from modules.util import load_file_from_url, walk_files
from webui.compat.missing import unprovided

__all__ = [
    "Upscaler",
    "UpscalerLanczos",
    "UpscalerNearest",
    "UpscalerNone",
    "load_file_from_url",
]


def load_models(
    model_path: str,
    model_url: str | None = None,
    command_path: str | None = None,
    ext_filter: Any = None,
    download_name: str | None = None,
    ext_blacklist: Any = None,
    hash_prefix: str | None = None,
) -> list[str]:
    """The files in a folder that end so. Nothing is downloaded: where there are none, the address
    is recorded for the doctor."""
    found: list[str] = []
    for folder in (command_path, model_path):
        if not folder or not os.path.isdir(folder):
            continue
        for path in walk_files(folder, ext_filter):
            is_unwanted = ext_blacklist and path.endswith(tuple(ext_blacklist))
            if not is_unwanted and path not in found:
                found.append(path)
    if not found and model_url:
        from modules.gesso import side

        side.asked.append(f"download {model_url}")
    return found


def friendly_name(file: str) -> str:
    """A file's name without its ending."""
    return os.path.splitext(os.path.basename(file.split("?")[0]))[0]


def load_upscalers() -> None:
    """Fill `shared.sd_upscalers` with the studio's."""
    shared.sd_upscalers[:] = gesso_upscalers.upscalers()


def cleanup_models() -> None:
    """Files stay where they are."""


def move_files(src_path: str, dest_path: str, ext_filter: str | None = None) -> None:
    """Files stay where they are."""


def load_spandrel_model(path: Any, *, device: Any, **_: Any) -> Any:
    """An upscaler's network, read without running what is in the file."""
    from spandrel import ModelLoader

    from modules import safe

    tensors = safe.load(path) if not str(path).endswith(".safetensors") else None
    loader = ModelLoader(device=device)
    return loader.load_from_file(path) if tensors is None else loader.load_from_state_dict(tensors)


__getattr__ = unprovided(__name__)
