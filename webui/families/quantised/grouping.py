"""Finds the quantised weights of a file and shows it as if each were one plain tensor.

Names and shapes only: families recognise files by what this gives, in a process without torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import webui.families.quantised.schemes
from webui.core.errors import ModelUnreadable
from webui.core.model import Header, TensorHeader
from webui.core.registry import Registry, discover
from webui.families.quantised.quantised import Group, ReadBytes, Scheme

PLAIN: Final = frozenset({"F64", "F32", "F16", "BF16", "I64", "I32", "I16", "BOOL"})
WEIGHT: Final = ".weight"


@dataclass(frozen=True, kw_only=True)
class Grouped:
    """A file as models see it."""

    header: Header
    """Every tensor by its key; a quantised weight has the shape that it stands for."""
    groups: Mapping[str, Group]
    """What those are made of that are not plain."""


def load_schemes() -> Registry[Scheme]:
    """The schemes that lie in the folder."""
    found = discover(webui.families.quantised.schemes, "SCHEME")
    return Registry(scheme for scheme in found if isinstance(scheme, Scheme))


def group(name: str, header: Header, read: ReadBytes) -> Grouped:
    """The tensors of a file of this header, taken together where several make one weight.

    `name` is the model's; `read` gives the bytes of a small tensor, which few schemes need. Raises
    ModelUnreadable for a scheme that is known and can't be read.
    """
    if is_plain(header):
        return Grouped(header=header, groups=MappingProxyType({}))
    groups: dict[str, Group] = {}
    _check_not_sdnq(name, header)
    try:
        for scheme in load_schemes():
            # the first that knows a weight has it
            groups = {**scheme.groups(header, read), **groups}
    except ValueError as error:
        raise ModelUnreadable(name, str(error)) from error
    eaten = {key for each in groups.values() for key in (*each.keys.values(), *each.unused)}
    plain = {key: tensor for key, tensor in header.items() if key not in eaten}
    seen = {
        key: TensorHeader(dtype=header[key].dtype, shape=each.shape) for key, each in groups.items()
    }
    return Grouped(header={**plain, **seen}, groups=groups)


def is_plain(header: Header) -> bool:
    """Whether nothing in a file can be quantised, as in most: told at once."""
    return all(tensor.dtype in PLAIN for tensor in header.values())


def _check_not_sdnq(name: str, header: Header) -> None:
    """SDNQ is known by the plain "scale" beside a packed weight; only its own package reads it."""
    for key, tensor in header.items():
        layer = key.removesuffix(WEIGHT)
        if layer != key and tensor.dtype not in PLAIN and f"{layer}.scale" in header:
            raise ModelUnreadable(
                name,
                f"its weights are held as SDNQ ({key} has a “scale” beside it), which this version "
                "can't read. Look for an fp8, GGUF or 16-bit version of it.",
            )
