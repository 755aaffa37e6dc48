"""Copies of folders."""

from __future__ import annotations

import os
import shutil
from typing import Any


def copy_tree(src: str, dst: str, **_: Any) -> list[str]:
    """Copy a folder into another; the new files."""
    shutil.copytree(src, dst, dirs_exist_ok=True)
    return [os.path.join(root, name) for root, _, names in os.walk(dst) for name in names]


def mkpath(name: str, **_: Any) -> list[str]:
    """Make a folder and all above it."""
    os.makedirs(name, exist_ok=True)
    return [name]


def remove_tree(directory: str, **_: Any) -> None:
    """Remove a folder with all that is in it."""
    shutil.rmtree(directory)
