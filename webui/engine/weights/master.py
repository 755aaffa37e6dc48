"""The memory that holds a weight for good: what patches read and change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from webui.engine.weights.carrier import read_now
from webui.families.weight_table import Weight

ATTRIBUTE: Final = "gesso_master"


class Masters:
    """Where the weights of a part lie for good, and which of them are no longer their file's.

    These are kept when the part is released, on the computer, and come back when it is placed.
    """

    def __init__(self, device: torch.device, sources: Mapping[Weight, Weight]) -> None:
        """`sources`: of weights that are made of something else now, of what."""
        self.device: Final = device
        self._sources: Final = sources
        self._rooms: dict[Weight, Tensor] = {}
        self._settle: Callable[[], None] = _nothing
        self._touched: Final[set[Weight]] = set()
        self._changed: Final[dict[Weight, Tensor]] = {}

    def changed(self, weight: Weight) -> Tensor | None:
        """What a weight of a released part is now; None where it is as in its file."""
        return self._changed.get(weight)

    def placed(
        self, rooms: Iterable[tuple[Weight, Tensor]], settle: Callable[[], None] | None
    ) -> None:
        """The weights lie there now; `settle` ends what reads them. What was changed while they
        came is written there."""
        self._rooms = dict(rooms)
        self._settle = settle or _nothing
        for weight, changed in self._changed.items():
            self._rooms[weight].copy_(changed)
        self._touched.update(self._changed)
        self._changed.clear()

    def retired(self) -> None:
        """What lies there is of no worth any more."""
        self._settle()
        self.forget()

    def released(self) -> None:
        """The weights are about to lose their memory."""
        self._settle()
        for weight in self._touched & self._rooms.keys():
            self._changed[weight] = self._rooms[weight].to("cpu", copy=True)
        self._touched.clear()
        self._rooms, self._settle = {}, _nothing

    def forget(self) -> None:
        """Nobody needs the weights any more."""
        self._touched.clear()
        self._changed.clear()
        self._rooms, self._settle = {}, _nothing

    @torch.inference_mode(False)
    def take(self, weight: Weight) -> Tensor:
        """The tensor to read and write. Raises ModelUnreadable."""
        if weight in self._rooms:
            self._settle()
            self._touched.add(weight)
            return self._rooms[weight]
        if weight not in self._changed:
            self._changed[weight] = read_now(self._sources.get(weight, weight))
        return self._changed[weight]

    def restore(self, weight: Weight) -> None:
        """It is again as in its file."""
        self._touched.discard(weight)
        self._changed.pop(weight, None)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Kept:
    masters: Masters
    weight: Weight


def keep(seen: Tensor, masters: Masters, weight: Weight) -> None:
    """Write on a layer's tensor which weight it is, and who knows where that lies."""
    setattr(seen, ATTRIBUTE, _Kept(masters=masters, weight=weight))


def master(layer: nn.Module, name: str) -> Tensor:
    """The tensor to read and to write in place of a layer's weight of this name.

    That of a streamed layer lies in the computer's memory; the layer's own is only the slot through
    which it passes. So does that of a part that is not in memory now. To be asked for anew before
    each change: copies under way end first, and what is changed survives the part's release.
    """
    weight: Tensor = getattr(layer, name)
    kept = _kept(weight)
    return weight if kept is None else kept.masters.take(kept.weight)


def working_device(layer: nn.Module, name: str) -> torch.device:
    """Where a layer computes, even if its weights are elsewhere now: what is worked out there is
    the same wherever they lie."""
    weight: Tensor = getattr(layer, name)
    kept = _kept(weight)
    return weight.device if kept is None else kept.masters.device


def restored(layer: nn.Module, name: str) -> None:
    """Say that a weight is again what its file has: it need not survive a release any more."""
    kept = _kept(getattr(layer, name))
    if kept is not None:
        kept.masters.restore(kept.weight)


def _kept(weight: Tensor) -> _Kept | None:
    kept: _Kept | None = getattr(weight, ATTRIBUTE, None)
    return kept


def _nothing() -> None:
    pass
