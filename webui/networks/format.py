"""What a format of network is, and the table of them: one file each, found by scanning.

A network's file holds, for each layer that it changes, a few small tensors. A format says which,
and how the change of the layer's weight is computed from them; nothing else differs between them.
All are linear in their weight: at weight w the change is w times the change at 1. Where formats
need the layer's own weight, it is the untouched one, so that the order of networks does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import webui.networks
from webui.core.registry import Registry, discover

if TYPE_CHECKING:
    from torch import Tensor

Parts = Mapping[str, "Tensor"]
"""The tensors of one layer by what stands after the layer's name, such as "lora_up.weight"."""

Size = tuple[int | None, int | None]
"""Rows and columns of the weight that a layer fits, laid out flat; None fits any."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """One way to say how a layer changes.

    `change(parts, weight)` gives the change of the layer's weight at weight 1; `weight` is float32
    or float64 and of the layer's own shape. `size(parts)` gives what it fits without computing it.
    Both raise KeyError for parts that are missing.
    """

    id: str
    label: str
    needs: tuple[tuple[str, ...], ...]
    """The layer is of this format if it has all parts of one of these groups."""
    parts: frozenset[str]
    """All parts it may have, those that every format may have left out."""
    size: Callable[[Parts], Size]
    change: Callable[[Parts, Tensor], Tensor]

    def fits(self, names: Collection[str]) -> bool:
        """Whether a layer with parts of these names is of this format."""
        return any(all(name in names for name in group) for group in self.needs)


def load_formats() -> Registry[Format]:
    """The formats that lie in this folder."""
    found = discover(webui.networks, "FORMAT")
    return Registry(format for format in found if isinstance(format, Format))


def scale(parts: Parts, rank: int) -> float:
    """Alpha over rank, by which trainers keep the size of a change apart from its rank. 1 without
    an alpha; a "scale" in the file takes its place."""
    if "scale" in parts:
        return float(parts["scale"])
    return float(parts["alpha"]) / rank if "alpha" in parts else 1.0


def columns(tensor: Tensor) -> int:
    """How many values a row of the flat layout has."""
    return tensor.numel() // max(1, tensor.shape[0])
