"""What this machine and studio are, as text."""

from __future__ import annotations

import json
import platform
import sys
from typing import Any

from modules import extensions, launch_utils, paths_internal
from webui.compat.missing import unprovided

environment_whitelist: set[str] = set()


def pretty_bytes(num: float, suffix: str = "B") -> str:
    """A number of bytes for people."""
    for unit in ["", "K", "M", "G", "T", "P", "E", "Z"]:
        if abs(num) < 1024:
            return f"{num:.0f}{unit}{suffix}"
        num /= 1024
    return f"{num:.1f}Y{suffix}"


def get_dict() -> dict[str, Any]:
    """All that is told."""
    return {
        "Platform": platform.platform(),
        "Python": platform.python_version(),
        "Version": launch_utils.git_tag(),
        "Commit": launch_utils.commit_hash(),
        "Script path": paths_internal.script_path,
        "Data path": paths_internal.data_path,
        "Extensions": [each.name for each in extensions.active()],
        "Executable": sys.executable,
    }


def get() -> str:
    """The same as JSON."""
    return json.dumps(get_dict(), indent=4)


def get_environment() -> dict[str, str]:
    """Nothing: variables may hold secrets."""
    return {}


def get_argv() -> list[str]:
    """Nothing: arguments may hold secrets."""
    return []


def get_torch_sysinfo() -> dict[str, Any]:
    """The version of torch, if it is loaded."""
    torch = sys.modules.get("torch")
    return {} if torch is None else {"torch_version": str(torch.__version__)}


__getattr__ = unprovided(__name__)
