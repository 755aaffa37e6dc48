"""Giving a finished file its name without ever replacing another."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from webui.core.files import sync_folder, write_temp

_NO_HARD_LINKS: Final = frozenset(
    {
        errno.EPERM,
        errno.EACCES,
        errno.ENOSYS,
        errno.EOPNOTSUPP,
        errno.ENOTSUP,
        errno.EMLINK,
        errno.EXDEV,
        errno.EINVAL,
    }
)
"""What file systems without hard links say (FAT, exFAT, some network and phone folders)."""


def publish(temp: Path, final: Path, link: Callable[[Path, Path], None] = os.link) -> None:
    """Make `temp` appear at `final`, whole and durable, and nowhere else.

    Raises FileExistsError when something is there; then `temp` stays. Both in one folder. Without
    hard links the name is first claimed by an empty file.
    """
    try:
        link(temp, final)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        _claim_and_replace(temp, final)
    else:
        temp.unlink()
    sync_folder(final.parent)


def _claim_and_replace(temp: Path, final: Path) -> None:
    final.touch(exist_ok=False)
    try:
        os.replace(temp, final)
    except OSError:
        with contextlib.suppress(OSError):
            final.unlink()
        raise


def move(source: Path, final: Path) -> None:
    """Move a file, also to another disk. Raises FileExistsError when something is there."""
    final.parent.mkdir(parents=True, exist_ok=True)
    try:
        publish(source, final)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        publish(write_temp(final.parent, source.read_bytes()), final)
        source.unlink()
    sync_folder(source.parent)
