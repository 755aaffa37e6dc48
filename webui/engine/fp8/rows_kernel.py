"""One kernel that brings rows to 8 bits. To be imported where triton is installed only.

By torch's own kernels the rows would be read three times and written twice, which takes longer than
the quicker product of matrices saves.
"""

from __future__ import annotations

import torch
import triton  # type: ignore[import-not-found,unused-ignore]
import triton.language as tl  # type: ignore[import-not-found,unused-ignore]
from torch import Tensor

from webui.engine.fp8.scaling import LARGEST, SMALLEST, TYPE, Rows


@triton.jit  # type: ignore[misc,untyped-decorator,unused-ignore]
def _pack_row(
    rows: tl.tensor,
    values: tl.tensor,
    scales: tl.tensor,
    columns: tl.tensor,
    smallest: tl.tensor,
    largest: tl.tensor,
    block: tl.constexpr,
) -> None:
    # the compiler reads the annotations too, and knows names of its own language only
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, block)
    is_inside = at < columns
    numbers = tl.load(rows + row * columns + at, mask=is_inside, other=0.0).to(tl.float32)
    scale = tl.maximum(tl.max(tl.abs(numbers), axis=0), smallest) / largest
    tl.store(scales + row, scale)
    tl.store(values + row * columns + at, (numbers / scale).to(tl.float8e4nv), mask=is_inside)


def packed_at_once(rows: Tensor) -> Rows:
    """(M, K) in 8 bits, and the rows' scales."""
    rows = rows.contiguous()
    count, columns = rows.shape
    values = torch.empty(count, columns, dtype=TYPE, device=rows.device)
    scales = torch.empty(count, 1, dtype=torch.float32, device=rows.device)
    block = triton.next_power_of_2(columns)
    warps = min(16, max(1, block // 512))
    _pack_row[(count,)](
        rows, values, scales, columns, SMALLEST, LARGEST, block=block, num_warps=warps
    )
    return values, scales
