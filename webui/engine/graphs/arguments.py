"""The arguments of a call taken apart: their tensors, and the form that stays from call to call."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from webui.engine.graphs.runner import Arguments

PLAIN: Final = (int, float, str, bool, type(None), torch.dtype)
"""What an argument beside tensors may be: it is part of the form, so another value is another
form."""
TENSOR: Final = "tensor"
"""The mark of a tensor in a form."""


def form_of(arguments: Arguments) -> Hashable | None:
    """The same for two calls that differ in nothing but the numbers in their tensors.

    None for arguments that hold something else than tensors, plain values, mappings, tuples and
    lists: nobody knows when two such calls are alike.
    """
    try:
        return _form(arguments)
    except TypeError:
        return None


def tensors_of(arguments: Any) -> Iterator[Tensor]:
    """All tensors in arguments, in an order that the form fixes."""
    if isinstance(arguments, Tensor):
        yield arguments
    elif isinstance(arguments, Mapping):
        for value in arguments.values():
            yield from tensors_of(value)
    elif isinstance(arguments, tuple | list):
        for value in arguments:
            yield from tensors_of(value)


def with_tensors(arguments: Arguments, tensors: Sequence[Tensor]) -> dict[str, Any]:
    """The same arguments with other tensors, in the order of `tensors_of`."""
    rest = iter(tensors)
    return {key: _replaced(value, rest) for key, value in arguments.items()}


def _form(value: Any) -> Hashable:
    """Raises TypeError for what is none of the known kinds."""
    if isinstance(value, Tensor):
        return TENSOR, tuple(value.shape), value.stride(), value.dtype, value.device
    if isinstance(value, Mapping):
        return dict, tuple((key, _form(each)) for key, each in value.items())
    if isinstance(value, tuple | list):
        return type(value), tuple(_form(each) for each in value)
    if isinstance(value, PLAIN):
        return type(value), value  # 1, 1.0 and True are equal, but not the same to a network
    raise TypeError(value)


def _replaced(value: Any, rest: Iterator[Tensor]) -> Any:
    if isinstance(value, Tensor):
        return next(rest)
    if isinstance(value, Mapping):
        return {key: _replaced(each, rest) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_replaced(each, rest) for each in value)
    return value
