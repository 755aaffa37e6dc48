"""Numbers of 8 bits, cast as they are: what "fp8" files hold."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from webui.core.model import Header
from webui.families.quantised.quantised import Form, Group, Parts, ReadBytes, Scheme

if TYPE_CHECKING:
    import torch
    from torch import Tensor

TYPES: Final = frozenset({"F8_E4M3", "F8_E5M2"})
VALUES: Final = "values"
LARGE: Final = 100.0
"""Times 2**120 it would be beyond float32."""
SHIFTS: Final = MappingProxyType(
    {
        "torch.float16": (7, 0xBF80 - 2**16),
        "torch.bfloat16": (4, 0x87F0 - 2**16),
        "torch.float32": (20, 0x87F00000 - 2**32),
    }
)
"""How far left, and which bits are the sign's, the exponent's and the fraction's, as whole numbers
with a sign."""


def groups(header: Header, read: ReadBytes) -> Mapping[str, Group]:
    """Every tensor of such numbers. Those with a scale beside them belong to another scheme, which
    asks first."""
    return {
        key: Group(scheme=SCHEME, shape=tensor.shape, keys={VALUES: key})
        for key, tensor in header.items()
        if tensor.dtype in TYPES
    }


def dequantise(parts: Parts, weight: Form, dtype: torch.dtype) -> Tensor:
    """The same numbers: 16 bits hold each exactly."""
    import torch

    values = parts[VALUES]
    if values.device.type == "cpu" and values.dtype == torch.float8_e4m3fn:
        half = _shifted(values, torch.float16)
        if dtype == torch.float16:
            return half.mul_(2.0**8)
        return half.to(torch.float32).mul_(2.0**8).to(dtype)
    return values.to(dtype, copy=True)


def times(values: Tensor, factor: float, dtype: torch.dtype) -> Tensor:
    """The numbers times a factor, in a new tensor of 16 or 32 bits; rounded once. For numbers that
    fill their range: the least of fp8's take a processor long in this way."""
    import torch

    if values.device.type == "cpu" and values.dtype == torch.float8_e4m3fn:
        wide = torch.float32 if dtype == torch.float16 else dtype  # whose range may be too small
        found, exponent = _shifted(values, wide), 2.0**120
        if abs(factor) > LARGE:
            return found.mul_(exponent).mul_(factor).to(dtype)
        return found.mul_(exponent * factor).to(dtype)
    return values.to(dtype, copy=True).mul_(factor)


def _shifted(values: Tensor, dtype: torch.dtype) -> Tensor:
    """e4m3 with its bits where another type has them, in half the time of torch's own cast on a
    CPU or less. Its exponents are then too small, by 8 in float16 and by 120 in others."""
    import torch

    bits = values.view(torch.int8).to(torch.int32 if dtype == torch.float32 else torch.int16)
    left, kept = SHIFTS[str(dtype)]
    bits <<= left
    bits &= kept  # the sign went along and fills what lies before
    return bits.view(dtype)


def rows(weight: Form, start: int, stop: int) -> Mapping[str, tuple[int, int]]:
    """Any rows."""
    return {VALUES: (start, stop)}


SCHEME: Final = Scheme(
    id="fp8",
    label="fp8",
    groups=groups,
    dequantise=dequantise,
    rows=rows,
    is_cast=True,
)
