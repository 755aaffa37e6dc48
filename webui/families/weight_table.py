"""What each weight of a model is made of: the way from a model without storage to a loaded one.

torch is imported inside the functions, because the web process reads families too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING

from webui.core.errors import ModelUnreadable
from webui.core.model import TensorHeader
from webui.families.stored import TORCH_NAMES, Stored

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


@dataclass(frozen=True)
class Origin:
    """The tensor of a file that a weight's rows are of: its key, its whole shape and type."""

    key: str
    whole: TensorHeader
    start: int | None = None
    stop: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Weight:
    """One weight of a model: what it shall be in memory, and what it is made of.

    `keys` are its names in the model; there are several where layers share it. `source` are the
    bytes of a file, or a tensor where a file can't be read so; its rows along the first axis become
    the weight's, with the halves swapped and then transposed if so said.
    """

    keys: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: torch.dtype
    source: Stored | Tensor
    swap_halves: bool = False
    transpose: bool = False
    is_channels_last: bool = False
    origin: Origin | None = None
    """Where files of its kind have it; None where `source` is no plain part of a file."""

    def is_like(self, other: Weight) -> bool:
        """Whether both are the same in memory, whatever their numbers are."""
        return self._form == other._form

    @property
    def _form(self) -> tuple[object, ...]:
        return self.keys, self.shape, self.dtype, self.is_channels_last

    @cached_property
    def size_bytes(self) -> int:
        """Bytes that it takes in memory."""
        return prod(self.shape) * self.dtype.itemsize

    @cached_property
    def strides(self) -> tuple[int, ...]:
        """Elements from one index to the next along each axis."""
        return self.empty("meta").stride()

    def empty(self, device: torch.device | str) -> Tensor:
        """Room for it."""
        import torch

        layout = torch.channels_last if self.is_channels_last else torch.contiguous_format
        return torch.empty(self.shape, dtype=self.dtype, device=device, memory_format=layout)

    def parts(self, room: Tensor) -> Iterator[tuple[Stored | Tensor, Tensor]]:
        """Each part of the source, and the part of `room` where it belongs, row for row."""
        rows = room.T if self.transpose else room
        if not self.swap_halves:
            yield self.source, rows
            return
        count = rows.shape[0]
        half = count // 2
        yield cut(self.source, 0, count - half), rows[half:]
        yield cut(self.source, count - half, count), rows[:half]


@dataclass(frozen=True, kw_only=True, eq=False)
class WeightTable:
    """All weights of a model. `name` is the model's, for messages."""

    name: str
    weights: tuple[Weight, ...]
    device: torch.device
    build: str = ""
    """The same for models that differ in nothing but their weights; empty where that is not
    known."""

    @property
    def size_bytes(self) -> int:
        """Bytes that they take in memory."""
        return sum(weight.size_bytes for weight in self.weights)


@dataclass(frozen=True, kw_only=True, eq=False)
class Used:
    """A model that nobody uses any more, and the table of the weights that it had last."""

    model: nn.Module
    table: WeightTable


def cut(source: Stored | Tensor, start: int | None, stop: int | None) -> Stored | Tensor:
    """Some rows of a source."""
    if isinstance(source, Stored):
        return source.rows(start, stop)
    return source[start:stop] if source.ndim else source


def layers_of(model: nn.Module) -> Mapping[str, nn.Module]:
    """By their names, of which one may have several."""
    return dict(model.named_modules(remove_duplicate=False))


def put(layers: Mapping[str, nn.Module], weight: Weight, tensor: Tensor) -> Tensor:
    """Make `tensor` that weight of a model with these layers; what the model has now. Layers that
    share it share one parameter."""
    from torch import nn

    value = tensor
    for key in weight.keys:
        path, _, name = key.rpartition(".")
        layer = layers[path]
        parameters = layer._parameters
        if name in parameters:  # theirs, as setattr would take four times as long for thousands
            if not isinstance(value, nn.Parameter):
                value = nn.Parameter(tensor, requires_grad=False)
            parameters[name] = value
        else:
            setattr(layer, name, value)
    return value


def element_type(source: Stored) -> torch.dtype:
    """torch's type of a tensor in a file. Raises ModelUnreadable."""
    import torch

    name = TORCH_NAMES.get(source.dtype, "")
    dtype = getattr(torch, name, None)
    if not isinstance(dtype, torch.dtype):
        raise ModelUnreadable(
            source.file.model,
            f"it has tensors of the type {source.dtype}, which this version can't read. "
            "Look for another version.",
        )
    return dtype


def bytes_of(tensor: Tensor) -> memoryview:
    """The memory of a contiguous tensor on the CPU."""
    import torch

    flat = tensor.as_strided((tensor.numel(),), (1,))  # one element may have any stride
    return flat.view(torch.uint8).numpy().data
