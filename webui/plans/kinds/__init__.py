"""The kinds of plans, one file each."""

from __future__ import annotations

import sys

from webui.core.registry import Registry, discover
from webui.plans.kind import Kind


def load_kinds() -> Registry[Kind]:
    """All kinds, by the names of their files."""
    found = discover(sys.modules[__name__], "KIND")
    return Registry(kind for kind in found if isinstance(kind, Kind))
