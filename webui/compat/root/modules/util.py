"""Small things: files in order, folders."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from modules.paths_internal import cwd, script_path
from webui.compat.missing import unprovided

_DIGITS = re.compile(r"(\d+)")


def natural_sort_key(s: str) -> list[Any]:
    """A key that puts 2 before 10."""
    return [int(part) if part.isdigit() else part.lower() for part in _DIGITS.split(s)]


def listfiles(dirname: str) -> list[str]:
    """The files in a folder, in order, without hidden ones."""
    names = sorted(os.listdir(dirname), key=natural_sort_key)
    paths = [os.path.join(dirname, name) for name in names if not name.startswith(".")]
    return [path for path in paths if os.path.isfile(path)]


def html_path(filename: str) -> str:
    """Where a page of A1111's would lie."""
    return os.path.join(script_path, "html", filename)


def html(filename: str) -> str:
    """A page of A1111's: there are none here."""
    path = html_path(filename)
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf8") as file:
        return file.read()


def walk_files(path: str, allowed_extensions: Any = None) -> Iterator[str]:
    """The files below a folder that end in one of these, in order."""
    if not os.path.exists(path):
        return
    for root, folders, names in os.walk(path, followlinks=True):
        folders[:] = sorted((f for f in folders if not f.startswith(".")), key=natural_sort_key)
        for name in sorted(names, key=natural_sort_key):
            if allowed_extensions is None or os.path.splitext(name)[1].lower() in {
                str(each).lower() for each in allowed_extensions
            }:
                yield os.path.join(root, name)


def truncate_path(target_path: str, base_path: str = cwd) -> str:
    """A path from a folder, if it lies below it."""
    absolute, base = os.path.abspath(target_path), os.path.abspath(base_path)
    return os.path.relpath(absolute, base) if absolute.startswith(base + os.sep) else absolute


def ldm_print(*args: Any, **kwargs: Any) -> None:
    """A1111 prints here what LDM says; there is nothing to say."""


def topological_sort(dependencies: dict[str, list[str]]) -> list[str]:
    """Names behind those that they need; a circle is cut."""
    done: dict[str, None] = {}
    visiting: set[str] = set()

    def visit(name: str) -> None:
        if name in done or name in visiting:
            return
        visiting.add(name)
        for needed in dependencies.get(name, ()):
            if needed in dependencies:
                visit(needed)
        done[name] = None

    for name in dependencies:
        visit(name)
    return list(done)


def open_folder(path: str) -> None:
    """Nothing is opened on the server's screen."""


def load_file_from_url(
    url: str,
    *,
    model_dir: str,
    progress: bool = True,
    file_name: str | None = None,
    hash_prefix: str | None = None,
    re_download: bool = False,
) -> str:
    """The path of a file that is there already. Downloads are made in the studio, by a person."""
    name = file_name or os.path.basename(url.split("?")[0])
    path = os.path.abspath(os.path.join(model_dir, name))
    if os.path.exists(path):
        return path
    raise FileNotFoundError(
        f"{name} is not in {model_dir}, and an extension may not download it. Get it from {url}."
    )


__getattr__ = unprovided(__name__)
