"""Models too large for one file: what libraries call the files, and which of them are there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

NAME: Final = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<total>\d{5})(?P<suffix>\.\w+)")
MOST: Final = 1000
"""More files than any model has; a name that says more is a name, nothing else."""


@dataclass(frozen=True, kw_only=True)
class Shards:
    """The files of one model, which lie side by side. `stem` is what all their names begin with;
    `files` are all that there should be, in their order."""

    stem: str
    files: tuple[Path, ...]

    @property
    def present(self) -> tuple[Path, ...]:
        """Those that are there. The first of them speaks for all."""
        return tuple(file for file in self.files if file.is_file())

    @property
    def missing(self) -> tuple[Path, ...]:
        """Those that are not."""
        return tuple(file for file in self.files if not file.is_file())


def shards_of(path: Path) -> Shards | None:
    """The files of the model that the file at `path` is a part of, told by its name; None where
    that names no part."""
    found = NAME.fullmatch(path.name)
    total = int(found["total"]) if found else 0
    if found is None or not 1 <= int(found["number"]) <= total <= MOST:
        return None
    stem, suffix = found["stem"], found["suffix"]
    names = (f"{stem}-{number:05}-of-{total:05}{suffix}" for number in range(1, total + 1))
    return Shards(stem=stem, files=tuple(path.with_name(name) for name in names))


def files_of(path: Path) -> tuple[Path, ...]:
    """All files of the model in the file at `path`: itself, or its shards, there or not."""
    shards = shards_of(path)
    return (path,) if shards is None else shards.files
