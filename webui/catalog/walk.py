"""Which files and folders below the folders of models may be models."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from webui.catalog.roots import Root, is_true

SUFFIXES: Final = (".safetensors", ".sft", ".gguf", ".ckpt", ".pt", ".pth", ".bin")
MAX_DEPTH: Final = 8
"""Folders below folders."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A file or a diffusers folder that may be a model. `parents` are the folders that it lies in,
    as its id names them."""

    path: Path
    parents: tuple[str, ...]
    is_starter: bool = False


def model_places(roots: Iterable[Root], shipped: Path) -> Iterator[Place]:
    """What may be a model below the roots, and the starter model that ships. No folder is looked
    into twice, by whatever links it is reached: links that point back up end nowhere."""
    if shipped.is_dir():
        yield Place(path=shipped, parents=(), is_starter=True)
    visited: set[tuple[int, int]] = set()
    for root in roots:
        for folder, base in root.places():
            for path in _below(folder, shipped, visited):
                inside = path.relative_to(base).parts[:-1]
                yield Place(path=path, parents=(*root.prefix, *inside))


def _below(folder: Path, shipped: Path, visited: set[tuple[int, int]]) -> Iterator[Path]:
    """Links come after all real folders: what has a real place keeps it when a link is made."""
    linked = deque([(folder, MAX_DEPTH)])
    while linked:
        start, depth = linked.popleft()
        yield from _inside(start, depth, shipped, visited, linked)


def _inside(
    folder: Path,
    depth: int,
    shipped: Path,
    visited: set[tuple[int, int]],
    linked: deque[tuple[Path, int]],
) -> Iterator[Path]:
    if not _is_new(folder, visited):
        return
    for entry in _entries(folder):
        path = folder / entry.name
        if entry.name.startswith(".") or path == shipped:
            continue
        is_link = entry.is_symlink()
        if is_true(path.is_dir if is_link else entry.is_dir):
            if is_true((path / "model_index.json").exists):
                yield path
            elif depth > 0 and is_link:
                linked.append((path, depth - 1))
            elif depth > 0:
                yield from _inside(path, depth - 1, shipped, visited, linked)
        elif entry.name.lower().endswith(SUFFIXES):
            yield path


def _is_new(folder: Path, visited: set[tuple[int, int]]) -> bool:
    try:
        stat = folder.stat()
    except (OSError, ValueError):
        return False
    identity = (stat.st_dev, stat.st_ino)
    if identity in visited:
        return False
    visited.add(identity)
    return True


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError:
        return []  # not ours to read, or gone
