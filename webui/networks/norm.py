"""Norm: the change of a normalising layer's weight, and of its bias."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from webui.networks.format import Format, Parts, Size, columns

if TYPE_CHECKING:
    from torch import Tensor


def size(parts: Parts) -> Size:
    """That of the change."""
    return parts["w_norm"].shape[0], columns(parts["w_norm"])


def change(parts: Parts, weight: Tensor) -> Tensor:
    """What is stored."""
    return parts["w_norm"].reshape(weight.shape)


FORMAT: Final = Format(
    id="norm",
    label="norm",
    needs=(("w_norm",),),
    parts=frozenset({"w_norm"}),
    size=size,
    change=change,
)
