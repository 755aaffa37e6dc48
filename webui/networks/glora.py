"""GLoRA: a low-rank change, and one that follows the weight. Chavan et al. 2023.

In files of early LyCORIS the change is b2 @ b1 + W @ a2 @ a1; later ones swap the two of each pair.
The shapes tell: what stands between the two is the rank, which is small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from webui.networks.format import Format, Parts, Size, columns, scale

if TYPE_CHECKING:
    from torch import Tensor

NAMES: Final = ("a1.weight", "a2.weight", "b1.weight", "b2.weight")


def size(parts: Parts) -> Size:
    """Rows and columns of the part that stands alone."""
    _, _, left, right = _ordered(parts)
    return left.shape[0], columns(right)


def change(parts: Parts, weight: Tensor) -> Tensor:
    """scale * (left @ right + W @ left of the weight's part @ right of it)."""
    wide, narrow, left, right = _ordered(parts)
    rank = right.shape[0]
    alone = left @ right
    # of a convolution, W's rows are taken kernel position by kernel position
    following = (weight.movedim(1, -1) @ wide @ narrow).movedim(-1, 1)
    return scale(parts, rank) * (alone.reshape(weight.shape) + following)


def _ordered(parts: Parts) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(in, r), (r, in), (out, r), (r, in), whichever way the file names them."""
    a1, a2, b1, b2 = (parts[name].flatten(1) for name in NAMES)
    new_rank, old_rank = b1.shape[1], b1.shape[0]
    is_new = b2.shape[0] == new_rank
    is_old = b2.shape[1] == old_rank and (not is_new or old_rank < new_rank)
    return (a2, a1, b2, b1) if is_old else (a1, a2, b1, b2)


FORMAT: Final = Format(
    id="glora",
    label="GLoRA",
    needs=(NAMES,),
    parts=frozenset(NAMES),
    size=size,
    change=change,
)
