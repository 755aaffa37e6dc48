"""DoRA: on top of any format, the lengths of the changed weight's rows or columns are set.
Liu et al. 2024.

Not a format of its own: `dora_scale` lies beside the parts of another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from torch import Tensor

PART: Final = "dora_scale"
SHORTEST: Final = 1e-12
"""Keeps rows of zeros from being divided by zero."""


def fits(lengths: Tensor, weight: Tensor) -> bool:
    """Whether there is one length for each row or each column."""
    return lengths.numel() in weight.shape[:2]


def change(lengths: Tensor, weight: Tensor, changed: Tensor) -> Tensor:
    """From the weight to `changed` with its lengths set, as a change. Both of the weight's shape.

    Lengths are of rows, one for each output (peft; LyCORIS with "wd_on_out"), where `lengths` has
    one axis or its first is that of the outputs; else of columns, one for each input.
    """
    import torch

    is_of_rows = lengths.shape[0] == weight.shape[0]
    axis = 0 if is_of_rows else 1
    others = [index for index in range(weight.ndim) if index != axis]
    norms = torch.linalg.vector_norm(changed, dim=others, keepdim=True).clamp(min=SHORTEST)
    scaled: Tensor = changed * (lengths.reshape(norms.shape) / norms)
    return scaled - weight
