"""What all scripts share: options, flags, the state of the job, lists of models."""

from __future__ import annotations

import logging
import os
import sys
from types import SimpleNamespace
from typing import Any

from modules import shared_cmd_options, shared_options
from modules.cmd_args import parser
from modules.gesso import side
from modules.options import OptionDiv, OptionHTML, OptionInfo, Options, options_section
from modules.paths_internal import (
    data_path,
    default_sd_model_file,
    extensions_builtin_dir,
    extensions_dir,
    models_path,
    script_path,
    sd_configs_path,
    sd_default_config,
    sd_model_file,
)
from modules.shared_options import options_templates, restricted_opts
from modules.shared_state import State
from modules.styles import StyleDatabase
from modules.util import (
    html,
    html_path,
    ldm_print,
    listfiles,
    natural_sort_key,
    walk_files,
)
from webui.compat.missing import unprovided

__all__ = [
    "OptionDiv",
    "OptionHTML",
    "OptionInfo",
    "Options",
    "State",
    "data_path",
    "default_sd_model_file",
    "extensions_builtin_dir",
    "extensions_dir",
    "html",
    "html_path",
    "ldm_print",
    "listfiles",
    "models_path",
    "natural_sort_key",
    "options_section",
    "options_templates",
    "parser",
    "restricted_opts",
    "script_path",
    "sd_configs_path",
    "sd_default_config",
    "sd_model_file",
    "shared_options",
    "walk_files",
]

log = logging.getLogger("a1111")
cmd_opts = shared_cmd_options.cmd_opts
opts = Options(options_templates, restricted_opts)
opts.data |= side.told.get("options", {})
state = State()

batch_cond_uncond = True
parallel_processing_allowed = True
styles_filename = cmd_opts.styles_file
config_filename = os.path.join(data_path, "config.json")
hide_dirs = {"visible": not cmd_opts.hide_ui_dir_config}
demo: Any = None
weight_load_location: Any = None
xformers_available = False
hypernetworks: dict[str, Any] = {}
loaded_hypernetworks: list[Any] = []
loaded_hypernetwork: Any = None
prompt_styles = StyleDatabase(side.told.get("folders", {}).get("styles", cmd_opts.styles_file))
interrogator: Any = None
face_restorers: list[Any] = []
settings_components: dict[str, Any] = {}
tab_names: list[str] = []
sd_upscalers: list[Any] = []
clip_model: Any = None
progress_print_out = sys.stdout
gradio_theme: Any = None
mem_mon: Any = SimpleNamespace(
    monitor=lambda: None, stop=dict, read=dict, reset=lambda: None, disabled=True
)
disable_extension_access = False

latent_upscale_default_mode = "Latent"
latent_upscale_modes = {
    "Latent": {"mode": "bilinear", "antialias": False},
    "Latent (antialiased)": {"mode": "bilinear", "antialias": True},
    "Latent (bicubic)": {"mode": "bicubic", "antialias": False},
    "Latent (bicubic antialiased)": {"mode": "bicubic", "antialias": True},
    "Latent (nearest)": {"mode": "nearest", "antialias": False},
    "Latent (nearest-exact)": {"mode": "nearest-exact", "antialias": False},
}


class TotalTQDM:
    """A bar over all of a job's steps in the terminal: there is none, progress is on the page."""

    def reset(self) -> None:
        """Begin anew."""

    def update(self) -> None:
        """One step."""

    def updateTotal(self, new_total: int) -> None:
        """So many steps in all."""

    def clear(self) -> None:
        """Away with it."""


total_tqdm = TotalTQDM()


def list_checkpoint_tiles(use_short: bool = False) -> list[str]:
    """Titles of all checkpoints."""
    from modules import sd_models

    return sd_models.checkpoint_tiles(use_short)


def refresh_checkpoints() -> None:
    """Look through the folders again."""
    from modules import sd_models

    sd_models.list_models()


def list_samplers() -> list[Any]:
    """All samplers."""
    from modules import sd_samplers

    return list(sd_samplers.all_samplers)


def reload_hypernetworks() -> None:
    """There are none."""


def walk_image_files(path: str) -> Any:
    """The pictures below a folder."""
    return walk_files(path, [".png", ".jpg", ".jpeg", ".webp", ".avif", ".gif"])


_refuse = unprovided(__name__)


def __getattr__(name: str) -> Any:
    if name == "sd_model":
        from modules import sd_models

        return sd_models.model_data.get_sd_model()
    if name == "device":
        from modules import devices

        return devices.device
    return _refuse(name)
