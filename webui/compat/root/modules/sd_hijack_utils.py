"""Tools for changing LDM: there are none."""

from __future__ import annotations

from webui.compat.missing import unprovided

__getattr__ = unprovided(__name__)
