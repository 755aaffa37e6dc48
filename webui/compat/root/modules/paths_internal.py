"""Where things lie, as strings: told by the server before any script is loaded."""

from __future__ import annotations

import os
from pathlib import Path

from modules.gesso import side
from webui.compat.missing import unprovided

_told = side.told.get("folders", {})
cwd = os.getcwd()
data_path = _told.get("data", cwd)
script_path = _told.get("script", data_path)
modules_path = str(Path(__file__).parent)
models_path = _told.get("models", os.path.join(data_path, "models"))
extensions_dir = _told.get("extensions", os.path.join(data_path, "extensions"))
extensions_builtin_dir = os.path.join(script_path, "extensions-builtin")
config_states_dir = os.path.join(data_path, "config_states")
default_output_dir = _told.get("outputs", os.path.join(data_path, "outputs"))
roboto_ttf_file = os.path.join(script_path, "font.ttf")
"""Pillow's own font, see webui.compat.loading."""
sd_configs_path = os.path.join(script_path, "configs")
sd_default_config = os.path.join(sd_configs_path, "v1-inference.yaml")
sd_model_file = os.path.join(script_path, "model.ckpt")
default_sd_model_file = sd_model_file


def normalized_filepath(filepath: str) -> str:
    """The absolute path, in the system's own case."""
    return os.path.normpath(os.path.abspath(filepath))


__getattr__ = unprovided(__name__)
