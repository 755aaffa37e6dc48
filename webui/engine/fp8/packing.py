"""The quickest way of bringing rows to 8 bits on a device."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec

import torch
from torch import Tensor

from webui.engine.fp8.scaling import LARGEST, Rows, packed, unpacked

log = logging.getLogger(__name__)


def quickly_packed(rows: Tensor) -> Rows:
    """As `packed`, in one go where the device can be told how."""
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
        log.warning("The kernel for 8 bits can't be made here: %s", str(error).strip())
    return packed
