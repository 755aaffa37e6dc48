"""The memory that holds a weight for good: what patches read and change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from torch import Tensor, nn

ATTRIBUTE: Final = "gesso_master"


@dataclass(frozen=True, kw_only=True, eq=False)
class Master:
    """Where a weight lies for good, and whom to tell before it is changed."""

    memory: Tensor
    before_change: Callable[[], None]


def master(layer: nn.Module, name: str) -> Tensor:
    """The tensor to read and to write in place of a layer's weight of this name.

    That of a streamed layer lies in the computer's memory; the layer's own is only the slot through
    which it passes. To be asked for anew before each change: copies under way end first, and what
    is changed survives the part's release.
    """
    weight: Tensor = getattr(layer, name)
    kept: Master | None = getattr(weight, ATTRIBUTE, None)
    if kept is None:
        return weight
    kept.before_change()
    return kept.memory
