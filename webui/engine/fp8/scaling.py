"""Rows of numbers in 8 bits, each with a scale of its own.

Micikevicius et al. 2022, "FP8 Formats for Deep Learning": e4m3 has 3 bits of fraction and reaches
from 2^-9 to 448. A row is scaled so that its largest number becomes 448; then each number is off by
at most a 16th of itself, or by 2^-10 of the scale where that is more.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

TYPE: Final = torch.float8_e4m3fn
LARGEST: Final = 448.0
SMALLEST: Final = 1e-12
"""In place of a row's largest number, where it is nothing but zeros."""

Rows = tuple[Tensor, Tensor]
"""(M, K) in 8 bits, and the scale of each row, (M, 1) in float32."""


def packed(rows: Tensor) -> Rows:
    """(M, K) of any type in 8 bits."""
    largest = torch.linalg.vector_norm(rows, torch.inf, dim=1, keepdim=True).float()
    scale = largest.clamp_(min=SMALLEST).div_(LARGEST)
    return (rows / scale).to(TYPE), scale


def unpacked(values: Tensor, scale: Tensor) -> Tensor:
    """The numbers that these rows mean, in float32."""
    return values.float() * scale
