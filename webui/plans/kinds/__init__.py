"""The kinds of plans, one file each."""

from __future__ import annotations

import sys

from webui.core.registry import Registry, discover
from webui.plans.axes import load_axes
from webui.plans.axis import Axes
from webui.plans.kind import Kind


def load_kinds(axes: Axes = load_axes) -> Registry[Kind]:
    """All kinds, by the names of their files; plots know these axes."""
    found = (kind for kind in discover(sys.modules[__name__], "KIND") if isinstance(kind, Kind))
    return Registry(kind.with_axes(axes) if kind.with_axes else kind for kind in found)
