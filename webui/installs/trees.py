"""Folders of files as wholes: what they hold, their hash, moving and removing them.

A tree is a folder or a single file. Links are never followed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from webui.core.files import TEMP_PREFIX, sync_folder

LEFT_OUT: Final = frozenset({".git", "__pycache__", ".DS_Store", ".venv", "node_modules"})
"""Not part of an extension, wherever they lie in it."""
CHUNK_BYTES: Final = 2**20


def files_of(tree: Path) -> Iterator[tuple[str, Path]]:
    """Each file of a tree by its path within ("a/b.py"), in order of these; no links."""
    if not tree.is_dir():
        yield tree.name, tree
        return
    for folder, folders, names in os.walk(tree):
        folders[:] = sorted(name for name in folders if name not in LEFT_OUT)
        for name in sorted(names):
            path = Path(folder) / name
            if name not in LEFT_OUT and not name.endswith(".pyc") and is_plain_file(path):
                yield path.relative_to(tree).as_posix(), path


def is_plain_file(path: Path) -> bool:
    """Whether it is a file itself, no link and no device."""
    with suppress(OSError):
        return stat.S_ISREG(path.lstat().st_mode)
    return False


def is_link(path: Path) -> bool:
    """Whether a folder lies elsewhere: a symbolic link, or a junction on Windows."""
    return path.is_symlink() or bool(getattr(path, "is_junction", lambda: False)())


def tree_hash(tree: Path) -> str:
    """The sha256 over the names and contents of a tree's files."""
    total = hashlib.sha256()
    for name, path in sorted(files_of(tree)):
        label = "" if path == tree else name  # a file's own name does not count
        total.update(f"{label}\0{file_hash(path)}\n".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def file_hash(path: Path) -> str:
    """A file's sha256."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            total.update(chunk)
    return total.hexdigest()


def copy_tree(source: Path, to: Path, check: Callable[[], None] = lambda: None) -> None:
    """Copy a tree's own files; what is left out and links stay behind."""
    if not source.is_dir():
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, to)
        return
    to.mkdir(parents=True, exist_ok=True)
    for name, path in files_of(source):
        check()
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, to / name)


def move_tree(source: Path, to: Path) -> None:
    """Move a tree to where nothing is yet: whole or not at all, also to another disk."""
    to.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.rename(to)
    except OSError as error:
        if error.errno != errno.EXDEV and getattr(error, "winerror", 0) != 17:
            raise
        passing = to.parent / f"{TEMP_PREFIX}{secrets.token_hex(8)}"
        copy_tree(source, passing)
        passing.rename(to)
        remove_tree(source)
    sync_folder(to.parent)


def remove_tree(tree: Path) -> None:
    """Remove a tree; of a link only the link. It vanishes under its name at once, or stays whole.
    Raises OSError."""
    if is_link(tree):
        tree.rmdir() if os.name == "nt" and tree.is_dir() else tree.unlink()
        return
    if not tree.exists():
        return
    doomed = tree.parent / f"{TEMP_PREFIX}{secrets.token_hex(8)}"
    tree.rename(doomed)
    if doomed.is_dir():
        if sys.version_info >= (3, 12):
            shutil.rmtree(doomed, onexc=_unlock)
        else:
            shutil.rmtree(doomed, onerror=_unlock)
    else:
        doomed.unlink()


def sweep(folder: Path) -> None:
    """Remove what a kill left half made or half removed in a folder."""
    for left in folder.glob(f"{TEMP_PREFIX}*") if folder.is_dir() else ():
        with suppress(OSError):
            remove_tree(left)


def _unlock(again: Callable[[str], object], path: str, _: object) -> None:
    """git's objects can't be written, which Windows takes for can't be removed."""
    Path(path).chmod(stat.S_IWRITE | stat.S_IREAD)
    again(path)
