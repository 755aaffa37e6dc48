"""Which files and folders below models/ may be models."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

SUFFIXES: Final = (".safetensors", ".sft", ".gguf", ".ckpt", ".pt", ".pth", ".bin")
MAX_DEPTH: Final = 8
"""Folders below folders; a link that points back up ends here."""


def model_files(folder: Path, shipped: Path) -> Iterator[Path]:
    """Single files and diffusers folders below `folder`, and the shipped starter model."""
    if shipped.is_dir():
        yield shipped
    if folder.is_dir():
        yield from _below(folder, shipped, MAX_DEPTH)


def _below(folder: Path, shipped: Path, depth: int) -> Iterator[Path]:
    for entry in _entries(folder):
        path = folder / entry.name
        if entry.name.startswith(".") or path == shipped:
            continue
        if path.is_dir() if entry.is_symlink() else entry.is_dir():
            if (path / "model_index.json").exists():
                yield path
            elif depth > 0:
                yield from _below(path, shipped, depth - 1)
        elif entry.name.lower().endswith(SUFFIXES):
            yield path


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError:
        return []  # not ours to read, or gone
