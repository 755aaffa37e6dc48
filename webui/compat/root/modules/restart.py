"""Scripts can't restart the studio."""

from __future__ import annotations

from webui.compat.missing import unprovided


def is_restartable() -> bool:
    """Never."""
    return False


def restart_program() -> None:
    """Nothing: extensions are loaded anew on their own page."""


stop_program = restart_program

__getattr__ = unprovided(__name__)
