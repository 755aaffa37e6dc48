"""A weight in fewer bits: what its scheme is, the tensors that make it, and its true values.

torch is imported inside the functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
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
    """Numbers that the file states once for the whole weight."""


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """One way to hold weights in fewer bits. All functions but `groups` know torch.

    `groups(header, read)` gives the weights of this scheme in a file, by the key under which a
    model looks for them; it raises ValueError, in words for people, for what it knows but can't
    read. `dequantise(parts, weight, dtype)` gives the true values in the order of memory, in a
    tensor of its own. `rows(parts, weight, start, stop)` gives the parts of these rows alone, None
    where rows can't be told apart.
    """

    id: str
    label: str
    groups: Callable[[Header, ReadBytes], Mapping[str, Group]]
    dequantise: Callable[[Parts, Form, torch.dtype], Tensor]
    rows: Callable[[Parts, Form, int, int], Parts | None]
    joined: Callable[[Iterable[Parts]], Parts]
    """The parts of several runs of rows, each from `rows`, as one."""


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


@dataclass(frozen=True, kw_only=True)
class Quantised:
    """A weight in fewer bits."""

    form: Form
    parts: Parts

    @property
    def shape(self) -> Shape:
        """What the model sees."""
        return self.form.shape

    @property
    def size_bytes(self) -> int:
        """Memory of its tensors."""
        return sum(part.numel() * part.element_size() for part in self.parts.values())

    def dequantise(self, dtype: torch.dtype) -> Tensor:
        """The true values, in a new tensor on the device of the parts."""
        return dequantise(self.form, self.parts, dtype)

    def reshaped(self, shape: Shape) -> Quantised:
        """The same values in another shape with as many rows. Raises ValueError."""
        if math.prod(shape) != math.prod(self.shape) or shape[:1] != self.shape[:1]:
            raise ValueError(f"{self.shape} can't be seen as {shape}.")
        return replace(self, form=replace(self.form, shape=shape))

    def mapped(self, change: Callable[[Tensor], Tensor]) -> Quantised:
        """With each of its tensors changed, such as moved to another place."""
        return replace(self, parts={name: change(part) for name, part in self.parts.items()})

    def rows(self, *runs: tuple[int, int]) -> Quantised | None:
        """The rows of these runs, one after the other. None where the scheme can't tell them
        apart: then take them of the true values."""
        found: list[Parts] = []
        for start, stop in runs:
            parts = self.form.scheme.rows(self.parts, self.form, start, stop)
            if parts is None:
                return None
            found.append(parts)
        count = sum(stop - start for start, stop in runs)
        form = replace(self.form, shape=(count, *self.shape[1:]))
        joined = found[0] if len(found) == 1 else self.form.scheme.joined(found)
        return Quantised(form=form, parts=joined)


def dequantise(form: Form, parts: Parts, dtype: torch.dtype) -> Tensor:
    """The true values of a weight, in a new tensor."""
    return form.scheme.dequantise(parts, form, dtype).reshape(form.shape)


def piece(
    weight: Quantised,
    start: int | None = None,
    stop: int | None = None,
    *,
    swap_halves: bool = False,
    transpose: bool = False,
) -> Quantised | Tensor:
    """Rows `start` to `stop`, with their halves swapped, transposed: still quantised where whole
    rows are taken, else true values in float32."""
    import torch

    first, last, _ = slice(start, stop).indices(weight.shape[0])
    middle = last - (last - first) // 2 if swap_halves else last
    runs = [run for run in ((middle, last), (first, middle)) if run[0] < run[1]]
    if not transpose and runs == [(0, weight.shape[0])]:
        return weight
    if not transpose and (found := weight.rows(*runs)) is not None:
        return found
    values = weight.dequantise(torch.float32)
    rows = torch.cat([values[begin:end] for begin, end in runs])
    return rows.T if transpose else rows
