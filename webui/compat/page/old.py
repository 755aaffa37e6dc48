"""The modules that old scripts import, for our own use: they are found once `loading` has run."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any


def module(name: str) -> Any:
    """The module `modules.<name>`."""
    return importlib.import_module(f"modules.{name}")


def side() -> Any:
    """What of the program stands behind those modules."""
    return module("gesso").side


def extension_of(callback: Any) -> str:
    """The id of the extension that registered a callback; told by its file where it did so after
    it was loaded."""
    if callback.extension:
        return str(callback.extension)
    file = Path(callback.script)
    found = (id for id, folder in side().folders.items() if file.is_relative_to(folder))
    return next(found, "")
