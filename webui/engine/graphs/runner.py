"""What runs a network, and the plain way of doing it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

import torch
from torch import Tensor, nn

Arguments = Mapping[str, Any]
"""Keyword arguments of a network's forward: tensors on its device, numbers, strings, None, and
mappings, tuples and lists of these. The timestep too is a tensor on the device."""


class Runner(Protocol):
    """Runs one network. Used by one thread at a time, under torch.inference_mode."""

    def __call__(self, arguments: Arguments, *, is_hooked: bool) -> Tensor:
        """What the network answers, a tensor of the caller's own.

        `is_hooked`: something outside the network takes part in this call (hooks that keep or
        change what passes), so its Python code must run.
        """
        ...

    def forget(self) -> None:
        """Drop what was kept of earlier calls: the weights have moved, or memory is needed."""
        ...

    @property
    def kept_bytes(self) -> int:
        """Memory of the device that is held for later calls and that `forget` gives back."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What changes the last bits of pictures, in a few words each; recorded with them."""
        ...


class EagerRunner:
    """Calls the network, each time."""

    kept_bytes: Final = 0
    notes: Final = ()

    def __init__(self, module: nn.Module) -> None:
        self._module: Final = module

    def __call__(self, arguments: Arguments, *, is_hooked: bool) -> Tensor:
        """What the network answers."""
        return run(self._module, arguments)

    def forget(self) -> None:
        """Nothing was kept."""


def run(module: nn.Module, arguments: Arguments) -> Tensor:
    """One eager call of a network that answers a tuple when asked not to answer a dict. Some answer
    each picture by itself."""
    answer: Tensor | list[Tensor] = module(**arguments, return_dict=False)[0]
    return torch.stack(answer) if isinstance(answer, list) else answer
