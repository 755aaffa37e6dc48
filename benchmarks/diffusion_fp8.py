"""Matrices in 8 bits, as benchmarks/diffusion.py measures them: what they would gain and cost.

The engine has no such switch: weights that LoRAs change would have to be brought to 8 bits again.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

LARGEST = 448.0
"""Of float8_e4m3fn."""
BLOCK = "BasicTransformerBlock"
EDGE = 16
"""Sides must be multiples of it."""


class Fp8Linear(nn.Module):
    """A linear layer whose weight has a scale for each row, as has what comes in, at each call."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        weight = layer.weight.float()
        scale = weight.abs().amax(dim=1, keepdim=True).clamp(min=1e-8) / LARGEST
        self.register_buffer("weight8", (weight / scale).to(torch.float8_e4m3fn))
        self.register_buffer("scale", scale.t().contiguous())
        self.bias = layer.bias

    def forward(self, x: Tensor) -> Tensor:
        """In bfloat16 within, as the kernel wants it."""
        rows = x.reshape(-1, x.shape[-1])
        scale = rows.abs().amax(dim=1, keepdim=True).float().clamp(min=1e-8) / LARGEST
        rows8 = (rows.float() / scale).clamp(-LARGEST, LARGEST).to(torch.float8_e4m3fn)
        answer = torch._scaled_mm(
            rows8,
            self.weight8.t(),
            scale_a=scale,
            scale_b=self.scale,
            out_dtype=torch.bfloat16,
            use_fast_accum=True,
        ).to(x.dtype)
        if self.bias is not None:
            answer = answer + self.bias
        return answer.reshape(*x.shape[:-1], -1)


def is_possible() -> bool:
    """Whether this GPU multiplies so."""
    return torch.cuda.is_available() and torch.cuda.get_device_capability() >= (8, 9)


def to_fp8(network: nn.Module) -> int:
    """Put 8 bits into a network's transformer blocks; how many layers. What reads the text stays:
    it is small."""
    count = 0
    for block in [each for each in network.modules() if type(each).__name__ == BLOCK]:
        for name, layer in list(block.named_modules()):
            if isinstance(layer, nn.Linear) and _fits(name, layer):
                parent: Any = block.get_submodule(name.rpartition(".")[0])
                setattr(parent, name.rpartition(".")[2], Fp8Linear(layer))
                count += 1
    return count


def _fits(name: str, layer: nn.Linear) -> bool:
    reads_text = name.startswith(("attn2.to_k", "attn2.to_v"))
    return not reads_text and layer.in_features % EDGE == layer.out_features % EDGE == 0
