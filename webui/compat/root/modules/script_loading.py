"""Loading a file as a module."""

from __future__ import annotations

import importlib.util
import os
import sys
from types import ModuleType
from typing import Any

from webui.compat.missing import unprovided

loaded_scripts: dict[str, ModuleType] = {}


def load_module(path: Any) -> ModuleType:
    """The module of a file, known as `scripts.<name>` from then on."""
    name = os.path.splitext(os.path.basename(path))[0]
    full = f"scripts.{name}"
    spec = importlib.util.spec_from_file_location(full, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(full)
    sys.modules[full] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        if before is None:
            sys.modules.pop(full, None)
        else:
            sys.modules[full] = before
        raise
    loaded_scripts[str(path)] = module
    return module


def preload_extensions(extensions_dir: Any, parser: Any, extension_list: Any = None) -> None:
    """Done for all when they are loaded."""


__getattr__ = unprovided(__name__)
