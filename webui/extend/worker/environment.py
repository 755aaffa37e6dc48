"""The packages of a worker: a virtual environment for each, made by uv when it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from webui.core.errors import ExtensionFailed
from webui.extend.packages import VARIABLE

WORKERS: Final = "workers"
NEEDED: Final = ("annotated-types", "pillow", "pluggy", "pydantic>=2", "typing-extensions")
"""What webui.extend itself imports; versions are the extension's choice."""


def home() -> Path | None:
    """The folder of all environments; None where this process was not told."""
    pointer = os.environ.get(VARIABLE, "")
    return Path(pointer).parent / WORKERS if pointer else None


def python_of(id: str) -> Path | None:
    """The Python of an extension's environment; None if it has none."""
    folder = home()
    if folder is None:
        return None
    python = _inside(folder / id)
    return python if python.is_file() else None


def build(
    id: str,
    requirements: Sequence[str],
    more: Sequence[str] = (),
    uv: str | None = None,
    folder: Path | None = None,
) -> Path:
    """Make the environment anew, and put it in the old one's place when it is whole; its Python.
    `more`: flags for uv, such as a folder to find packages in; `folder`: where it is made, by
    default where it is used. Raises ExtensionFailed."""
    folder = folder or home()
    if folder is None:
        raise ExtensionFailed(id, f"There is no folder for the packages of “{id}”.")
    tool = uv or _uv()
    new = folder / f"{id}.new"
    shutil.rmtree(new, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    _run(id, [tool, "venv", "--python", sys.executable, "--relocatable", str(new)])
    target = ["pip", "install", "--python", str(new), *more]
    _run(id, [tool, *target, *NEEDED, *requirements])
    old = folder / id
    shutil.rmtree(old, ignore_errors=True)
    new.replace(old)
    return _inside(old)


def _inside(environment: Path) -> Path:
    inner = ("Scripts", "python.exe") if sys.platform == "win32" else ("bin", "python")
    return environment.joinpath(*inner)


def remove(id: str) -> None:
    """Take the environment away."""
    folder = home()
    if folder is not None:
        shutil.rmtree(folder / id, ignore_errors=True)


def _run(id: str, command: Sequence[str]) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        why = " ".join(done.stderr.split())[:600]
        raise ExtensionFailed(
            id, f"The packages of “{id}” can't be installed: {why} Look at its dependencies."
        )


def _uv() -> str:
    import uv

    found: str = uv.find_uv_bin()
    return found
