"""Numbers of 8 bits, cast as they are: what "fp8" files hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from webui.core.model import Header
from webui.families.quantised.quantised import Form, Group, Parts, ReadBytes, Scheme

if TYPE_CHECKING:
    import torch
    from torch import Tensor

TYPES: Final = frozenset({"F8_E4M3", "F8_E5M2"})
VALUES: Final = "values"


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
    return parts[VALUES].to(dtype, copy=True)


def rows(weight: Form, start: int, stop: int) -> Mapping[str, tuple[int, int]]:
    """Any rows."""
    return {VALUES: (start, stop)}


SCHEME: Final = Scheme(
    id="fp8",
    label="fp8",
    groups=groups,
    dequantise=dequantise,
    rows=rows,
)
