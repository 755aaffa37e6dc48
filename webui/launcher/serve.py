"""Handing over to the server: its command, its variables, and becoming it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from webui.launcher.venv import Venv, clean_environment

# Set before any library is imported; what the person has set themselves goes first.
VARIABLES: Final = MappingProxyType(
    {
        "GRADIO_ANALYTICS_ENABLED": "False",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
        # --device-id counts as nvidia-smi does
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    }
)


def server_command(venv: Venv, root: Path, flags: Sequence[str]) -> list[str]:
    """The command that starts the server."""
    return [str(venv.python), str(root / "app.py"), *flags]


def server_environment(environment: Mapping[str, str], device: Mapping[str, str]) -> dict[str, str]:
    """The server's variables: ours and the device's below those that are set already."""
    return {**VARIABLES, **device, **clean_environment(dict(environment))}


def become(command: list[str], environment: Mapping[str, str]) -> int:
    """Run a command in place of this process, so that signals reach it; on Windows, beside it."""
    sys.stdout.flush()
    if sys.platform != "win32":
        os.execve(command[0], command, environment)
    try:
        return subprocess.call(command, env=environment)
    except KeyboardInterrupt:
        # Ctrl+C reached the server as well, and it has ended
        return 130
