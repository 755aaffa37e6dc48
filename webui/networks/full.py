"""Full: the change itself, as large as the weight. Also changes of biases alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from webui.networks.format import Format, Parts, Size, columns, scale

if TYPE_CHECKING:
    from torch import Tensor


def size(parts: Parts) -> Size:
    """That of the change."""
    return parts["diff"].shape[0], columns(parts["diff"])


def change(parts: Parts, weight: Tensor) -> Tensor:
    """What is stored. It has no rank, so an alpha means nothing here."""
    given = {name: part for name, part in parts.items() if name == "scale"}
    return scale(given, 1) * parts["diff"].reshape(weight.shape)


FORMAT: Final = Format(
    id="full",
    label="full",
    needs=(("diff",),),
    parts=frozenset({"diff"}),
    size=size,
    change=change,
)
