"""LoRA, and LoCon: the same for convolutions. Hu et al. 2021; Yeh et al. 2023 for LoCon.

The change is up @ down: (out, r) @ (r, in). For a convolution the kernel lies in `down`, or between
the two in `lora_mid` (r, r, kh, kw), the CP decomposition of LyCORIS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from webui.networks.format import Format, Parts, Size, columns, scale

if TYPE_CHECKING:
    from torch import Tensor

UP: Final = "lora_up.weight"
DOWN: Final = "lora_down.weight"
MID: Final = "lora_mid.weight"


def size(parts: Parts) -> Size:
    """Rows of up; columns of down, times the kernel in the middle."""
    kernel = parts[MID][0, 0].numel() if MID in parts else 1
    return parts[UP].shape[0], columns(parts[DOWN]) * kernel


def change(parts: Parts, weight: Tensor) -> Tensor:
    """scale * up @ down, in the weight's shape."""
    up = parts[UP].flatten(1) * scale(parts, parts[DOWN].shape[0])  # the small one is scaled
    return _product(up, parts[DOWN].flatten(1), parts.get(MID)).reshape(weight.shape)


def limited(parts: Parts, rank: int) -> Parts:
    """The parts of a layer with only the first `rank` rows in use (A1111's "dyn"); the scale stays
    that of the whole."""
    whole = parts[DOWN].shape[0]
    if rank >= whole or MID in parts:
        return parts
    return {
        **parts,
        UP: parts[UP][:, :rank],
        DOWN: parts[DOWN][:rank],
        "scale": parts[UP].new_tensor(scale(parts, whole)),
    }


def _product(up: Tensor, down: Tensor, mid: Tensor | None) -> Tensor:
    import torch

    if mid is None:
        return up @ down
    # (a, b, kh, kw): a counts the columns of up, b the rows of down
    return torch.einsum("oa,abkl,bi->oikl", up, mid, down)


FORMAT: Final = Format(
    id="lora",
    label="LoRA",
    needs=((UP, DOWN),),
    parts=frozenset({UP, DOWN, MID}),
    size=size,
    change=change,
)
