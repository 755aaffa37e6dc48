"""Axes of plots that old extensions added to A1111's: each a value in requests, like an input."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

from webui.core.request import Mode
from webui.extend.legacy import LegacyInput, LegacyPart

SUFFIX: Final = "/plot-axes"
MODES: Final = (Mode.TXT2IMG, Mode.IMG2IMG, Mode.INPAINT)


def axes_parts() -> tuple[LegacyPart, ...]:
    """A part for each extension that has axes."""
    grid = sys.modules.get("scripts.xyz_grid")
    found: dict[str, list[Any]] = {}
    for option in [] if grid is None else grid.added_axes():
        found.setdefault(option.extension, []).append(option)
    return tuple(
        LegacyPart(
            id=id + SUFFIX,
            extension=id,
            title="Axes",
            modes=MODES,
            inputs=tuple(LegacyInput(grid.axis_id(each), each.label) for each in options),
            is_always=True,
        )
        for id, options in found.items()
        if grid is not None
    )


def values_of(inputs: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The values of axes among a job's inputs, by extension."""
    return {
        id.removesuffix(SUFFIX): dict(values)
        for id, values in inputs.items()
        if id.endswith(SUFFIX)
    }
