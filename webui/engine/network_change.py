"""What networks make of a layer's weight and bias: written into them, or worked out as it runs.

Layers that keep their weight in fewer bits can't be written to: rounding the changed weight to
those bits would lose the network. So they work the change out each time. A plain LoRA costs one
product of its small matrices, added to the true values in place, in the layer's own precision:
no memory beyond the small matrices, and less than 1 % of a forward's arithmetic at rank 32 and 4096
tokens. Other types are worked out in float32, which takes a few times the layer's true size for as
long as it runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from webui.core.errors import ModelUnreadable
from webui.families.quantised.layers import Patch
from webui.networks import dora, lora
from webui.networks.format import Parts, scale
from webui.networks.network import Layer

NUMBERS: Final = frozenset({"alpha", "scale", "on_input"})
"""Parts that are read as plain numbers, which waits for the device if they lie there."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one network does to one layer of a model. `network` and `place` are the names of the
    two, for messages; `rank` limits a LoRA's."""

    layer: Layer
    weight: float
    rank: int | None
    network: str
    place: str

    @property
    def parts(self) -> Parts:
        """The layer's parts, as many as are in use."""
        if self.rank is not None and self.layer.format is lora.FORMAT:
            return lora.limited(self.layer.parts, self.rank)
        return self.layer.parts


def changed_weight(base: Tensor, shares: Sequence[Share]) -> Tensor:
    """The weight with all changes; float32 or float64, untouched. Raises ModelUnreadable."""
    total = base
    for share in shares:
        if share.layer.format is not None:
            change = _change(share, _on(share.parts, base.device), base)
            total = total.add(change, alpha=share.weight)
    return total


def changed_bias(base: Tensor, shares: Sequence[Share]) -> Tensor:
    """The bias with all changes; float32 or float64, untouched."""
    total = base
    for share in shares:
        if (bias := share.layer.bias) is not None:
            total = total.add(bias.to(total).reshape(total.shape), alpha=share.weight)
    return total


def live_patch(shares: Sequence[Share], shape: tuple[int, ...]) -> Patch | None:
    """The same changes of a weight of this shape, to be made as the layer runs; None where none is
    of its weight. Raises ModelUnreadable, here and not as it runs."""
    own = [share for share in shares if share.layer.format is not None]
    if not own:
        return None
    empty = torch.empty(shape, dtype=torch.float32, device="meta")
    changed_weight(empty, own)
    if all(_is_low_rank(share.layer) for share in own):
        return Patch(is_exact=False, change=_LowRank(own))
    return Patch(is_exact=True, change=_Exact(own))


class _LowRank:
    """Adds products of two small matrices, which it keeps where they were needed last."""

    def __init__(self, shares: Sequence[Share]) -> None:
        self._pairs = [_pair(share.parts) for share in shares]
        self._factors: Final = [
            share.weight * scale(parts, parts[lora.DOWN].shape[0])
            for share in shares
            for parts in [share.parts]
        ]

    def __call__(self, base: Tensor) -> Tensor:
        self._pairs = [(up.to(base), down.to(base)) for up, down in self._pairs]
        flat = base.flatten(1)
        for (up, down), factor in zip(self._pairs, self._factors, strict=True):
            flat.addmm_(up, down, alpha=factor)
        return base


class _Exact:
    """Any changes, in float32. Keeps their parts where they were needed last."""

    def __init__(self, shares: Sequence[Share]) -> None:
        self._shares: Final = shares
        self._parts = [share.parts for share in shares]

    def __call__(self, base: Tensor) -> Tensor:
        self._parts = [_on(parts, base.device) for parts in self._parts]
        total = base
        for share, parts in zip(self._shares, self._parts, strict=True):
            total = total.add(_change(share, parts, base), alpha=share.weight)
        return total


def _is_low_rank(layer: Layer) -> bool:
    is_plain = layer.format is lora.FORMAT
    return is_plain and not {lora.MID, dora.PART} & layer.parts.keys()


def _pair(parts: Parts) -> tuple[Tensor, Tensor]:
    """(out, r) and (r, in)."""
    return parts[lora.UP].flatten(1), parts[lora.DOWN].flatten(1)


def _on(parts: Parts, device: torch.device) -> Mapping[str, Tensor]:
    return {name: part if name in NUMBERS else part.to(device) for name, part in parts.items()}


def _change(share: Share, parts: Parts, base: Tensor) -> Tensor:
    """The change at weight 1."""
    assert share.layer.format is not None
    exact = {name: part if name in NUMBERS else part.to(base) for name, part in parts.items()}
    try:
        change = share.layer.format.change(exact, base)
        if dora.PART in exact:
            change = dora.change(exact[dora.PART], base, base + change)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, IndexError) as error:
        raise ModelUnreadable(
            share.network, f"its layer {share.place} is damaged ({error}). Download it again."
        ) from error
    return change
