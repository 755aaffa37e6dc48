"""Parts that are found, not listed: every module of a folder that names one is a part."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType
from typing import Final, Generic, Protocol, TypeVar


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
        own: dict[str, P] = {}
        for part in parts:
            if part.id in own:
                raise ValueError(f"Two parts have the id “{part.id}”. Rename one of them.")
            own[part.id] = part
        self._own: Final[Mapping[str, P]] = own
        self._parts: Mapping[str, P] = own

    def join(self, more: Iterable[P]) -> tuple[P, ...]:
        """Have these parts behind its own, in place of those of an earlier call; those whose id is
        taken are given back. Other threads see what was there before or all of it."""
        joined, refused = dict(self._own), []
        for part in more:
            if joined.setdefault(part.id, part) is not part:
                refused.append(part)
        self._parts = joined
        return tuple(refused)

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


class Told(Mapping[str, str], Generic[P]):
    """A word about each part of a registry by its id, with those that join later."""

    def __init__(self, parts: Registry[P], word: Callable[[P], str]) -> None:
        self._parts: Final = parts
        self._word: Final = word

    def __getitem__(self, id: str) -> str:
        return self._word(self._parts[id])

    def __iter__(self) -> Iterator[str]:
        return (part.id for part in self._parts)

    def __len__(self) -> int:
        return len(self._parts)


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
