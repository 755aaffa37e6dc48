"""Hypernetworks are not supported: the lists are empty, and loading one says so."""

from __future__ import annotations

from typing import Any

from webui.compat.missing import unprovided

loaded_hypernetworks: list[Any] = []


def list_hypernetworks(path: str = "") -> dict[str, str]:
    """None."""
    return {}


def find_closest_hypernetwork_name(search: str) -> str | None:
    """None."""
    return None


def apply_strength(value: Any = None) -> None:
    """There is nothing whose strength could change."""


def load_hypernetwork(filename: str | None) -> None:
    """Raises NotImplementedError for any name but "None"."""
    if filename and filename != "None":
        raise NotImplementedError(f"The hypernetwork {filename} can't be used here. Use a LoRA.")


def load_hypernetworks(names: Any, multipliers: Any = None) -> None:
    """As `load_hypernetwork`."""
    for name in names:
        load_hypernetwork(name)


class Hypernetwork:
    """Not supported."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        raise NotImplementedError("Hypernetworks can't be used here. Use a LoRA.")


__getattr__ = unprovided(__name__)
