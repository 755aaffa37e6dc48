"""Files that an extension or its owner made in its folder: an update must not take them away.

Old extensions keep their settings, word lists and results beside their code.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from webui.core.files import write_atomic
from webui.installs.trees import file_hash, files_of


def write_list(folder: Path, name: str, tree: Path) -> None:
    """Note the files of a tree as it came, under a name."""
    hashes = {file: file_hash(path) for file, path in files_of(tree)} if tree.is_dir() else {}
    write_atomic(folder / f"{name}.json", json.dumps(hashes).encode())


def read_list(folder: Path, name: str) -> Mapping[str, str] | None:
    """The files by name with their hashes, as noted; None if nothing was."""
    try:
        found: Any = json.loads((folder / f"{name}.json").read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def carry_over(old: Path, came: Mapping[str, str] | None, new: Path) -> list[str]:
    """Copy what was made or changed in `old` since it came into `new`; their names. What the new
    state brings in another form than the old one stays as the new one has it."""
    if came is None or not old.is_dir() or not new.is_dir():
        return []
    carried = []
    for name, path in files_of(old):
        target = new / name
        is_ours = came.get(name) == file_hash(path)
        is_taken = target.exists() and came.get(name) != _hash(target)
        if not is_ours and not is_taken:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            carried.append(name)
    return carried


def _hash(path: Path) -> str:
    return file_hash(path) if path.is_file() else ""
