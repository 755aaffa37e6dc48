"""What a model family owes the engine besides what core asks of it, and the table of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, cast

import webui.families
from webui.core.model import ModelFamily
from webui.core.registry import Registry, discover
from webui.families.components import NO_PARTS, Components, Placement


class LoadableFamily(ModelFamily, Protocol):
    """A family whose models can be loaded. `load` imports torch, the rest does not."""

    def load(
        self, path: Path, placement: Placement, parts: Mapping[str, Path] = NO_PARTS
    ) -> Components:
        """The weights of the model at `path`, ready to run. `parts`: files that bring what it
        lacks, by the ids in `ModelInfo.missing`. Raises ModelUnreadable."""
        ...


Families = Registry[LoadableFamily]


def load_families() -> Families:
    """The families that lie in this folder."""
    return Families(cast("list[LoadableFamily]", discover(webui.families, "FAMILY")))
