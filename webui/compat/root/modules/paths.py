"""Where things lie, by the names of older scripts."""

from __future__ import annotations

import sys
from types import TracebackType

from modules.paths_internal import (
    config_states_dir,
    cwd,
    data_path,
    default_output_dir,
    extensions_builtin_dir,
    extensions_dir,
    models_path,
    modules_path,
    roboto_ttf_file,
    script_path,
    sd_configs_path,
    sd_default_config,
    sd_model_file,
)
from webui.compat.missing import unprovided

__all__ = [
    "Prioritize",
    "config_states_dir",
    "cwd",
    "data_path",
    "default_output_dir",
    "extensions_builtin_dir",
    "extensions_dir",
    "models_path",
    "modules_path",
    "paths",
    "roboto_ttf_file",
    "script_path",
    "sd_configs_path",
    "sd_default_config",
    "sd_model_file",
]

sd_path = script_path
paths: dict[str, str] = {}
"""Folders of the repositories beside A1111; there are none here."""


class Prioritize:
    """A folder of `paths` is looked through first for imports, as long as this lasts."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.path: list[str] | None = None

    def __enter__(self) -> None:
        self.path = sys.path.copy()
        if self.name in paths:
            sys.path = [paths[self.name], *sys.path]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.path is not None:
            sys.path = self.path
        self.path = None


__getattr__ = unprovided(__name__)
