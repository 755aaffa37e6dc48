"""The folders that models are looked for in: our own, and those of other programs.

A1111, Forge and ComfyUI keep models in a folder "models" of their own (A1111 and Forge embeddings
beside it). Named may be such a program's folder, its folder of models, or any other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

OWN: Final = ""
MARK: Final = "@"
"""Before a root's name in ids: no folder of our own is called so."""
MODELS: Final = "models"
BESIDE_MODELS: Final = ("embeddings",)
PROGRAM_SIGNS: Final = (*BESIDE_MODELS, "webui.py", "main.py", "launch.py", "custom_nodes")
NAMED: Final = re.compile(r"\s*(?P<name>[^/\\=:]+?)\s*=\s*(?P<path>.+)")


@dataclass(frozen=True, kw_only=True)
class Root:
    """A folder that models are looked for in. `name` stands before their ids; our own has none."""

    path: Path
    name: str = OWN

    def places(self) -> Iterator[tuple[Path, Path]]:
        """Where in it models are, not among a program's other files; and for each the folder below
        which their ids begin."""
        if not self.is_program:
            yield self.path, self.path
            return
        yield self.path / MODELS, self.path / MODELS
        for name in BESIDE_MODELS:
            if is_true((self.path / name).is_dir):
                yield self.path / name, self.path

    @property
    def prefix(self) -> tuple[str, ...]:
        """What stands before the folders in the ids of its models."""
        return () if self.name == OWN else (MARK + self.name,)

    @property
    def is_program(self) -> bool:
        """Whether it is a program's folder, which holds the models in one of its own."""
        if self.name == OWN or not is_true((self.path / MODELS).is_dir):
            return False
        return any(is_true((self.path / sign).exists) for sign in PROGRAM_SIGNS)

    @property
    def is_there(self) -> bool:
        """False for what was taken away, or lies on a disk that is not there now."""
        return is_true(self.path.is_dir)


def is_true(asked: Callable[[], bool]) -> bool:
    """The answer to a question about a path; False where the system gives none, as of a name that
    is too long or a folder that is not ours to read."""
    try:
        return asked()
    except (OSError, ValueError):
        return False


def read_roots(text: str) -> tuple[Root, ...]:
    """The folders that a setting lists: one a line, or with semicolons between them; "name=folder"
    gives one a name. Names become unique, those that stand first keep theirs."""
    entries = [entry.strip().strip('"') for entry in re.split(r"[;\n]", text)]
    roots: list[Root] = []
    for entry in filter(None, entries):
        named = NAMED.fullmatch(entry)
        path = _expanded(Path(named["path"] if named else entry))
        if any(root.path == path for root in roots):
            continue
        wanted = named["name"] if named else _name(path)
        roots.append(Root(path=path, name=_unique(wanted, [root.name for root in roots])))
    return tuple(roots)


def followed(
    named: Callable[[], tuple[Root, ...]], refresh: Callable[[], object]
) -> Callable[[object], None]:
    """Something to call when settings changed: it calls `refresh` when other folders are named
    than before."""
    known = named()

    def changed(_: object) -> None:
        nonlocal known
        if (now := named()) != known:
            known = now
            refresh()

    return changed


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        return path  # the home of somebody whom this machine does not know


def _name(path: Path) -> str:
    """A program's name says more than "models"."""
    is_inside = path.name.lower() == MODELS and path.parent.name
    return (path.parent.name if is_inside else path.name) or "models"


def _unique(name: str, taken: Sequence[str]) -> str:
    names = [name, *(f"{name} {number}" for number in range(2, len(taken) + 2))]
    return next(free for free in names if free not in taken)
