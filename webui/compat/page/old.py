"""The modules that old scripts import, for our own use: they are found once `loading` has run."""

from __future__ import annotations

import importlib
from typing import Any


def module(name: str) -> Any:
    """The module `modules.<name>`."""
    return importlib.import_module(f"modules.{name}")


def side() -> Any:
    """What of the program stands behind those modules."""
    return module("gesso").side
