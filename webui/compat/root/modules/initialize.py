"""A1111's start: the studio has made its own."""

from __future__ import annotations

from webui.compat.missing import unprovided


def imports() -> None:
    """Nothing is left to do."""


initialize = initialize_rest = check_versions = imports

__getattr__ = unprovided(__name__)
