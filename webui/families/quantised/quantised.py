"""A weight in fewer bits: what its scheme is, which tensors make it, and its true values.

torch is imported inside the functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from webui.core.model import Header

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Shape = tuple[int, ...]
Parts = Mapping[str, "Tensor"]
"""The tensors that make a weight, by what the scheme calls them."""
ReadBytes = Callable[[str], bytes]
"""The bytes of a small tensor of the file, by key."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """A weight as a file has it: under one name, made of several tensors."""

    scheme: Scheme
    shape: Shape
    """What the model sees."""
    keys: Mapping[str, str]
    """The file's key of each part."""
    unused: tuple[str, ...] = ()
    """Keys that belong to it and that nobody needs."""
    options: Mapping[str, float] = field(default_factory=dict)
    """Numbers that hold for the whole weight."""

    @property
    def form(self) -> Form:
        """What is to be known of it beside its tensors."""
        return Form(scheme=self.scheme, shape=self.shape, options=self.options)


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """One way to hold weights in fewer bits. Only `dequantise` knows torch.

    `groups(header, read)` gives the weights of this scheme in a file, by the key under which a
    model looks for them; it raises ValueError, in words for people, for what it knows but can't
    read. `dequantise(parts, weight, dtype)` gives the true values in the order of memory, in a
    tensor of its own. `rows(weight, start, stop)` gives the rows of each part that make these rows
    of the weight; parts that it leaves out serve as they are. None where they can't be told apart.
    """

    id: str
    label: str
    groups: Callable[[Header, ReadBytes], Mapping[str, Group]]
    dequantise: Callable[[Parts, Form, torch.dtype], Tensor]
    rows: Callable[[Form, int, int], Mapping[str, tuple[int, int]] | None]
    is_cast: bool = False
    """A weight is one tensor, and a cast gives its true values."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """What is to be known of a weight beside its tensors."""

    scheme: Scheme
    shape: Shape
    options: Mapping[str, float] = field(default_factory=dict)

    @property
    def columns(self) -> int:
        """How many values a row has."""
        return math.prod(self.shape[1:])

    def dequantise(self, parts: Parts, dtype: torch.dtype) -> Tensor:
        """The true values of the weight that these tensors make, in a new tensor beside them."""
        return self.scheme.dequantise(parts, self, dtype).reshape(self.shape)
