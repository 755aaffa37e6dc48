"""The product of two matrices in 8 bits."""

from __future__ import annotations

import logging
from functools import cache
from typing import Final

import torch
from torch import Tensor

from webui.engine.fp8.scaling import Rows, packed

log = logging.getLogger(__name__)

EVERYWHERE: Final = torch.bfloat16
"""What scales by rows give on each device."""


def product(rows: Rows, weight: Rows, bias: Tensor | None, dtype: torch.dtype) -> Tensor:
    """(M, K) times (N, K), and (N,) added to each row: (M, N)."""
    if _gives(rows[0].device, dtype):
        return _multiplied(rows, weight, bias, dtype)
    answer = _multiplied(rows, weight, None, EVERYWHERE).to(dtype)
    return answer if bias is None else answer + bias


def _multiplied(rows: Rows, weight: Rows, bias: Tensor | None, dtype: torch.dtype) -> Tensor:
    answer: Tensor = torch._scaled_mm(
        rows[0],
        weight[0].t(),
        scale_a=rows[1],
        scale_b=weight[1].t(),
        bias=bias,
        out_dtype=dtype,
        use_fast_accum=rows[0].device.type == "cuda",
    )
    return answer


def _gives(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether a device gives this type at once, with the bias: two goes through memory less."""
    if device.type != "cuda" or torch.compiler.is_compiling():
        return False
    return _is_given(device, dtype)


@cache
def _is_given(device: torch.device, dtype: torch.dtype) -> bool:
    draw = torch.Generator().manual_seed(1)
    rows, weight = (packed(torch.randn(32, 64, generator=draw).to(device, dtype)) for _ in range(2))
    bias = torch.randn(32, generator=draw).to(device, dtype)
    expected = _multiplied(rows, weight, None, EVERYWHERE).to(dtype) + bias
    try:
        found = _multiplied(rows, weight, bias, dtype)
    except (RuntimeError, ValueError) as error:
        log.debug("Products in 8 bits go by way of bfloat16: %s", str(error).splitlines()[:1])
        return False
    return torch.allclose(found, expected, rtol=0.02, atol=0.1)
