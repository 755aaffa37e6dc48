"""Tells when a network is no longer the one that was looked at: other code, or other addresses."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from itertools import chain
from typing import Any, Final

from torch import Tensor, nn

STAND_INS: Final = ("forward", "_conv_forward", "processor", "_compiled_call_impl")
"""What on a module itself, not on its class, decides which code runs."""
HOOKS: Final = ("_forward_hooks", "_forward_pre_hooks")
TENSORS: Final = ("_parameters", "_buffers")
KNOWN_EDITIONS: Final = 16


class Structure:
    """Numbers the states of a network. Numbers in weights may change freely; it is another state
    when modules, their hooks or stand-ins, or the addresses of their tensors are others.

    A look costs about a millisecond for the 1900 modules of an SDXL network, while the GPU works.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module: Final = module
        self._modules: tuple[nn.Module | None, ...] = (None,)
        self._own: list[dict[str, Any]] = []
        self._editions: Final[OrderedDict[Hashable, int]] = OrderedDict()
        self._last: tuple[Hashable, int] = (None, 0)

    def edition(self) -> int:
        """The number of the state that the network is in: the same as before if it was in just
        this state before, and not too many others since."""
        state = self._state()
        if state == self._last[0]:
            return self._last[1]
        number = self._editions.pop(state, None)
        if number is None:
            number = max((*self._editions.values(), self._last[1])) + 1
        self._editions[state] = number
        while len(self._editions) > KNOWN_EDITIONS:
            self._editions.popitem(last=False)
        self._last = state, number
        return number

    def forget(self) -> None:
        """Let go of all that earlier states held."""
        self._editions.clear()
        self._last = None, self._last[1]

    def _state(self) -> Hashable:
        """Holds the stand-ins themselves: what is alive shares its identity with nothing new."""
        if self._modules != self._now():
            self._own = [vars(module) for module in self._module.modules()]
            self._modules = self._now()
        hooks = (each[kind] for each in self._own for kind in HOOKS)
        return (
            self._modules,
            tuple(chain.from_iterable(hooks)),
            tuple(_Same(each[name]) for each in self._own for name in STAND_INS if name in each),
            tuple(tensor.data_ptr() for tensor in self._tensors() if tensor is not None),
        )

    def _now(self) -> tuple[nn.Module | None, ...]:
        """The children of all modules known so far: as quick as it gets, and other ones as soon
        as any module is replaced."""
        return tuple(chain.from_iterable(each["_modules"].values() for each in self._own))

    def _tensors(self) -> Iterator[Tensor | None]:
        kinds = (each[kind] for each in self._own for kind in TENSORS)
        return chain.from_iterable(kind.values() for kind in kinds if kind)


class _Same:
    """Equal to itself alone, whatever the thing in it says of equality."""

    def __init__(self, thing: Any) -> None:
        self._thing: Final = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self._thing is other._thing

    def __hash__(self) -> int:
        return id(self._thing)
