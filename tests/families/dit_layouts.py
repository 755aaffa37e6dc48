"""Writes the tensors of transformer models as original files have them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from webui.families.weights import Piece

if TYPE_CHECKING:
    from torch import Tensor


def original(tensors: Mapping[str, Tensor], names: Mapping[str, str | Piece]) -> dict[str, Tensor]:
    """The tensors of a model by their names in an original file, fused where they are there."""
    import torch

    pieces: dict[str, list[tuple[int, Tensor]]] = defaultdict(list)
    for key, tensor in tensors.items():
        name = names[key]
        piece = name if isinstance(name, Piece) else Piece(name)
        # swapping twice gives what was
        rows = tensor.roll(len(tensor) // 2, 0) if piece.swap_halves else tensor
        pieces[piece.key].append((piece.start or 0, rows))
    return {
        key: torch.cat([rows for _, rows in sorted(found, key=lambda one: one[0])])
        if len(found) > 1
        else found[0][1].contiguous().clone()
        for key, found in pieces.items()
    }
