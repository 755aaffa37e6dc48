"""Programs on the path."""

from __future__ import annotations

import shutil


def find_executable(executable: str, path: str | None = None) -> str | None:
    """Where a program is; None if it is not there."""
    return shutil.which(executable, path=path)
