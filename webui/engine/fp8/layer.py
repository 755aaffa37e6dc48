"""A linear layer that multiplies in 8 bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor, nn

from webui.engine.fp8.packing import quickly_packed
from webui.engine.fp8.product import product
from webui.engine.fp8.scaling import packed
from webui.engine.weights.master import master, restored, working_device
from webui.families.quantised.layers import BUFFER, FORM, Patch

VALUES: Final = f"{BUFFER}values"
SCALE: Final = f"{BUFFER}scale"
Read = Callable[[], Tensor]
"""Gives a weight's true values, in the computer's memory. Raises ModelUnreadable."""


class Fp8Linear(nn.Linear):
    """In place of a layer. Its weight is in 8 bits, (out, in), with scales (out, 1); its `weight`
    has no storage and tells shape and type to those who ask; the bias is as ever."""

    def __init__(self, layer: nn.Linear, read: Read, values: Tensor, scale: Tensor) -> None:
        """`read` reads the layer's weight from its files. `values`, `scale`: the same in 8 bits, in
        the computer's memory."""
        nn.Module.__init__(self)
        self.in_features = layer.in_features
        self.out_features = layer.out_features
        self.bias = layer.bias
        self.weight: Any = torch.empty(values.shape, dtype=layer.weight.dtype, device="meta")
        self.register_buffer(VALUES, torch.empty_like(values, device="meta"), persistent=False)
        self.register_buffer(SCALE, torch.empty_like(scale, device="meta"), persistent=False)
        setattr(self, FORM, Fp8Form(read, values, scale))

    def forward(self, input: Tensor) -> Tensor:
        """(..., in) to (..., out), of the input's type."""
        rows = quickly_packed(input.reshape(-1, self.in_features))
        weight = getattr(self, VALUES), getattr(self, SCALE)
        answer = product(rows, weight, self.bias, input.dtype)
        return answer.reshape(*input.shape[:-1], self.out_features)


class HalvedFp8Linear(Fp8Linear):
    """Answers the two halves of what it would, each by itself: see gated_layers."""

    def forward(self, input: Tensor) -> Any:
        """Two tensors."""
        rows = quickly_packed(input.reshape(-1, self.in_features))
        biases = (None, None) if self.bias is None else self.bias.chunk(2)
        weights = zip(getattr(self, VALUES).chunk(2), getattr(self, SCALE).chunk(2), strict=True)
        answers = (
            product(rows, weight, bias, input.dtype)
            for weight, bias in zip(weights, biases, strict=True)
        )
        return tuple(answer.reshape(*input.shape[:-1], answer.shape[-1]) for answer in answers)


class Fp8Form:
    """What is to be known of a layer's weight, and how networks (LoRA ...) change it: the weight
    of the file is changed, in full precision, and brought to 8 bits after that."""

    def __init__(self, read: Read, values: Tensor, scale: Tensor) -> None:
        self.shape: Final = tuple(values.shape)
        self._read: Final = read
        self._parts: Final = {VALUES: values, SCALE: scale}

    def change(self, layer: Any, patch: Patch | None) -> None:
        """From now on the layer's weight is so changed; with None, to the last bit what it was.
        Raises ModelUnreadable when the file is gone."""
        if patch is None:
            for name, tensor in self._parts.items():
                master(layer, name).copy_(tensor)
                restored(layer, name)
            return
        device = working_device(layer, VALUES)
        changed = patch.change(self._read().to(device, torch.float32))
        for name, tensor in zip((VALUES, SCALE), packed(changed), strict=True):
            master(layer, name).copy_(tensor)
