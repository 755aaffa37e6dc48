"""Gradio as it was before old scripts came: what they replace in it is put back when they go."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping
from typing import Any, Final

MODULES: Final = (
    "gradio",
    "gradio.blocks",
    "gradio.components",
    "gradio.components.base",
    "gradio.context",
    "gradio.events",
    "gradio.layouts",
    "gradio.routes",
    "gradio.utils",
)


class Untouched:
    """A memory of Gradio's functions, classes and methods. State, such as the block that is being
    drawn, is left alone."""

    def __init__(self) -> None:
        self._known: Final = tuple((place, _code_of(place)) for place in _places())

    def restore(self) -> list[str]:
        """Put back what was replaced, and take away what was added; the names of it."""
        changed = []
        for place, before in self._known:
            now = _code_of(place)
            for name in now.keys() - before.keys():
                delattr(place, name)
                changed.append(f"{place.__name__}.{name}")
            for name, value in before.items():
                if now.get(name) is not value:
                    setattr(place, name, value)
                    changed.append(f"{place.__name__}.{name}")
        return changed


def _places() -> Iterator[Any]:
    """The modules, and the classes of Gradio in them."""
    modules = [importlib.import_module(name) for name in MODULES]
    yield from modules
    found = {
        id(value): value
        for module in modules
        for value in vars(module).values()
        if inspect.isclass(value) and value.__module__.startswith("gradio.")
    }
    yield from found.values()


def _code_of(place: Any) -> Mapping[str, Any]:
    return {name: value for name, value in vars(place).items() if _is_code(value)}


def _is_code(value: Any) -> bool:
    kinds = (staticmethod, classmethod, property)
    return inspect.isroutine(value) or inspect.isclass(value) or isinstance(value, kinds)
