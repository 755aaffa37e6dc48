"""The Extras tab is the program's own."""

from __future__ import annotations

from typing import Any

from webui.compat.missing import unprovided


def create_ui() -> Any:
    """It is not drawn from here."""
    raise RuntimeError("The Extras tab is not drawn by modules.ui_postprocessing.")


__getattr__ = unprovided(__name__)
