"""Names of A1111's that the layer does not have: a clear error, and a note for the doctor."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NoReturn


def unprovided(module: str) -> Callable[[str], NoReturn]:
    """A module's `__getattr__`: raises AttributeError for `module.name`, and notes it."""

    def refuse(name: str) -> NoReturn:
        if not name.startswith("__"):
            note(f"{module}.{name}")
        raise AttributeError(f"{module}.{name} is not provided by the layer", name=name)

    return refuse


def note(name: str) -> None:
    """Remember that a script asked for a name that is not there."""
    missing: list[str] = _state().missing
    if name not in missing:
        missing.append(name)


def noted() -> tuple[str, ...]:
    """All such names since the last `forget`, in the order in which they were asked for."""
    return tuple(_state().missing)


def forget() -> None:
    """Begin anew."""
    _state().missing.clear()


def _state() -> Any:
    return importlib.import_module("modules.gesso").side
