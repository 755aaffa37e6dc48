"""Small decoders: the engine uses them for previews."""

from __future__ import annotations

from webui.compat.missing import unprovided

__getattr__ = unprovided(__name__)
