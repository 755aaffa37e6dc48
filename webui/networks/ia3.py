"""IA3: a factor for each input or each output of a layer. Liu et al. 2022.

The factors are stored less 1, so the change is the weight times what is stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from webui.networks.format import Format, Parts, Size

if TYPE_CHECKING:
    from torch import Tensor


def size(parts: Parts) -> Size:
    """Rows or columns: one factor for each."""
    count = parts["weight"].numel()
    return (None, count) if _is_on_input(parts) else (count, None)


def change(parts: Parts, weight: Tensor) -> Tensor:
    """The weight times the factors, along its inputs or its outputs."""
    axis = 1 if _is_on_input(parts) else 0
    shape = [1] * weight.ndim
    shape[axis] = parts["weight"].numel()
    return weight * parts["weight"].reshape(shape)


def _is_on_input(parts: Parts) -> bool:
    return bool(parts["on_input"].item())


FORMAT: Final = Format(
    id="ia3",
    label="IA3",
    needs=(("weight", "on_input"),),
    parts=frozenset({"weight", "on_input"}),
    size=size,
    change=change,
)
