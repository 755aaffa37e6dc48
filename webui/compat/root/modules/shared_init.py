"""A1111's start: the studio has made its own."""

from __future__ import annotations

from webui.compat.missing import unprovided


def initialize() -> None:
    """Nothing is left to do."""


__getattr__ = unprovided(__name__)
