"""Changes of LDM's network: there are none, and none of its names."""

from __future__ import annotations

from webui.compat.missing import unprovided

__getattr__ = unprovided(__name__)
