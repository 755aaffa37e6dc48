"""`launch` for an install.py that its owner lets run: what it asks of pip goes to Gesso's
resolver, which asks and answers in lines of JSON on the process's own pipes.

Names and arguments are those that such scripts call. This file runs in a process of its own and
imports nothing of the program.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from typing import Any

python = sys.executable
args = type("Arguments", (), {"__getattr__": lambda self, name: None})()
_ASK = os.fdopen(int(os.environ["GESSO_ASK"]), "w", encoding="utf-8")
_HEAR = os.fdopen(int(os.environ["GESSO_HEAR"]), encoding="utf-8")


def run_pip(command: str, desc: str | None = None, live: bool = False) -> str:
    """Ask for packages, "install name". Raises RuntimeError when they can't be had."""
    words = shlex.split(command)
    if words[:1] != ["install"]:
        return ""
    _ASK.write(json.dumps({"install": words[1:]}) + "\n")
    _ASK.flush()
    answer = json.loads(_HEAR.readline() or '{"error": "The resolver is gone."}')
    if answer.get("error"):
        raise RuntimeError(f"Couldn't install {desc or command}: {answer['error']}")
    folder = answer.get("folder")
    if folder and folder not in sys.path:
        sys.path.append(folder)
        importlib.invalidate_caches()
    return ""


def is_installed(package: str) -> bool:
    """Whether a package or module is here, the extensions' own packages included."""
    name = re.split(r"[\[<>=!~ ;]", package.strip(), maxsplit=1)[0]
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        try:
            return importlib.util.find_spec(name) is not None
        except (ImportError, ValueError):
            return False
    return True


def run_pip_install_requirements(file: str) -> str:
    """Ask for all packages of a requirements file."""
    return run_pip(f"install -r {shlex.quote(file)}")


def requirements_met(file: str) -> bool:
    """Whether all packages of a requirements file are here, whatever their versions."""
    with open(file, encoding="utf-8") as lines:  # noqa: PTH123 - as plain as can be
        names = [line.strip() for line in lines if line.strip() and line[0] not in "#-"]
    return all(is_installed(name) for name in names)


def run(command: Any, desc: str | None = None, errdesc: str | None = None, **_: Any) -> str:
    """Run a command, as the owner agreed that this script may."""
    done = subprocess.run(command, shell=isinstance(command, str), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{errdesc or 'Error running command'}: {done.stderr}")
    return done.stdout


def check_run_python(code: str) -> bool:
    """Whether a line of Python runs without an error."""
    done = subprocess.run([python, "-c", code], capture_output=True, check=False)
    return done.returncode == 0
