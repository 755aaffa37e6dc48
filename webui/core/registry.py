"""Parts that are found, not listed: every module of a folder that names one is a part."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import Generic, Protocol, TypeVar


class Part(Protocol):
    """Anything with an id that never changes: it is what recipes and settings store."""

    @property
    def id(self) -> str:
        """Lower case, digits and underscores."""
        ...


P = TypeVar("P", bound=Part)


class Registry(Generic[P]):
    """Parts by id, in a fixed order. A second part with the same id is refused."""

    def __init__(self, parts: Iterable[P]) -> None:
        self._parts: dict[str, P] = {}
        for part in parts:
            if part.id in self._parts:
                raise ValueError(f"Two parts have the id “{part.id}”. Rename one of them.")
            self._parts[part.id] = part

    def __iter__(self) -> Iterator[P]:
        return iter(self._parts.values())

    def __len__(self) -> int:
        return len(self._parts)

    def __contains__(self, id: object) -> bool:
        return id in self._parts

    def __getitem__(self, id: str) -> P:
        """The part with this id. Raises KeyError."""
        return self._parts[id]

    def get(self, id: str) -> P | None:
        """The part with this id, or None."""
        return self._parts.get(id)


def discover(package: ModuleType, attribute: str) -> list[object]:
    """The values named `attribute` of all modules in a package, in order of module name.

    A value that is a tuple or a mapping holds several parts (a table of rows).
    """
    found: list[object] = []
    for info in pkgutil.iter_modules(package.__path__):
        if info.name.startswith("_"):
            continue
        value = getattr(importlib.import_module(f"{package.__name__}.{info.name}"), attribute, None)
        if isinstance(value, Mapping):
            found.extend(value.values())
        elif isinstance(value, tuple):
            found.extend(value)
        elif value is not None:
            found.append(value)
    return found
