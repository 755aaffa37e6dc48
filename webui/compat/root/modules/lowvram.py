"""Memory. The engine decides itself what lies where."""

from __future__ import annotations

from typing import Any

from webui.compat.missing import unprovided

module_in_gpu: Any = None
cpu = "cpu"


def is_needed(sd_model: Any) -> bool:
    """Never."""
    return False


def apply(sd_model: Any) -> None:
    """Nothing."""


def send_everything_to_cpu() -> None:
    """Nothing."""


def setup_for_low_vram(sd_model: Any, use_medvram: bool) -> None:
    """Nothing."""


def is_enabled(sd_model: Any) -> bool:
    """Never."""
    return False


__getattr__ = unprovided(__name__)
