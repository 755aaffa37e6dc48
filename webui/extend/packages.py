"""Where the packages of extensions are found: a folder at the end of sys.path, after the program's
own, so that none of these is ever replaced. Files named .pth in it are not processed.

Every process that runs code of extensions calls `use_packages`: when it begins, and again before it
loads one, as the folder is another after an extension was installed.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

VARIABLE: Final = "GESSO_EXTENSION_PACKAGES"
"""Tells child processes where the pointer is."""
POINTER: Final = "current"


def announce_packages(folder: Path) -> None:
    """Tell this process and those that it starts in which folder the sets of packages are, and use
    the present one."""
    os.environ[VARIABLE] = str(folder / POINTER)
    use_packages()


def use_packages(environment: Mapping[str, str] | None = None) -> Path | None:
    """Put the present set of packages at the end of sys.path in place of the one before; the
    folder, None if there is none."""
    pointer = (os.environ if environment is None else environment).get(VARIABLE, "")
    if not pointer:
        return None
    folder = pointed_at(Path(pointer))
    home, wanted = str(Path(pointer).parent), "" if folder is None else str(folder)
    others = [path for path in sys.path if not path or str(Path(path).parent) != home]
    wished = [*others, wanted] if wanted else others
    if wished != sys.path:
        sys.path[:] = wished
        importlib.invalidate_caches()
    return folder


def pointed_at(pointer: Path) -> Path | None:
    """The folder that a pointer names; None if it names none that is there."""
    try:
        name = pointer.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    folder = pointer.parent / name
    return folder if name and "/" not in name and "\\" not in name and folder.is_dir() else None
