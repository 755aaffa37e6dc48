"""Writing files so that a kill or a full disk leaves the old one or the new one, never a part."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

TEMP_PREFIX: Final = ".gesso-tmp-"


def write_atomic(path: Path, data: bytes) -> None:
    """Put `data` at `path`, replacing what is there, durable when it returns. Raises OSError."""
    temp = write_temp(path.parent, data)
    try:
        os.replace(temp, path)
    except OSError:
        temp.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_temp(folder: Path, data: bytes) -> Path:
    """A new file in `folder` that holds `data`, on disk. Leaves nothing behind when it raises."""
    folder.mkdir(parents=True, exist_ok=True)
    temp = folder / f"{TEMP_PREFIX}{secrets.token_hex(8)}"
    try:
        with temp.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        temp.unlink(missing_ok=True)
        raise
    return temp


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable. Windows has no such call and needs none."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep_temps(folder: Path) -> int:
    """Remove the temporary files that a kill left below `folder`; the number removed."""
    removed = 0
    for temp in folder.rglob(f"{TEMP_PREFIX}*"):
        with contextlib.suppress(OSError):
            temp.unlink()
            removed += 1
    return removed
