"""Rows of numbers in 8 bits, each with a scale of its own.

Micikevicius et al. 2022, "FP8 Formats for Deep Learning": e4m3 has 3 bits of fraction and reaches
from 2^-9 to 448. A row is scaled so that its largest number becomes 448; then each number is off by
at most a 16th of itself, or by 2^-10 of the scale where that is more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Final

import torch
from torch import Tensor

log = logging.getLogger(__name__)

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


def quickly_packed(rows: Tensor) -> Rows:
    """The same, in one go where the device can be told how."""
    if rows.device.type != "cuda" or torch.compiler.is_compiling():
        return packed(rows)  # a compiler puts these steps together itself
    return _packer(rows.device)(rows)


@cache
def _packer(device: torch.device) -> Callable[[Tensor], Rows]:
    """A kernel of our own, which reads each row once, where it works; else torch's, one by one."""
    if find_spec("triton") is None:
        return packed
    try:
        from webui.engine.fp8.rows_kernel import packed_at_once

        check = torch.randn(33, 1280, device=device, dtype=torch.float16)
        found, expected = packed_at_once(check), packed(check)
        apart = (unpacked(*found) - unpacked(*expected)).abs().max()
        if float(apart) <= float(expected[1].max()) * LARGEST / 8:
            return packed_at_once
        log.warning("The kernel for 8 bits is wrong here by %.3g; going on without.", float(apart))
    except Exception as error:  # noqa: BLE001 - whatever compilers throw, there is another way
        log.warning("The kernel for 8 bits can't be made here: %s", str(error).splitlines()[:1])
    return packed
