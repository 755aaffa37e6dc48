"""Tables of embeddings that stay in the computer's memory: their rows are brought as they are asked
for. Of a hundred thousand words a text has a few hundred."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn


class RowTable:
    """In front of a layer that looks rows up: it is given those that its input names, in a small
    table, and the input in that table's numbers. A forward pre-hook."""

    def __init__(self, memory: Tensor, device: torch.device) -> None:
        self._memory: Final = memory
        self._device: Final = device

    def __call__(
        self, layer: nn.Module, args: tuple[Any, ...], named: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What the layer is to be called with."""
        (rows,) = args or tuple(named.values())
        wanted, places = torch.unique(rows, return_inverse=True)
        weight: Tensor = layer.weight  # type: ignore[assignment]
        weight.data = self._memory[wanted.cpu()].to(self._device)
        return (places,), {}
