"""In which order a model's layers run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from torch import nn
from torch.utils.hooks import RemovableHandle


class KnownOrders:
    """The orders that were found out, for models of the same layers to come."""

    def __init__(self) -> None:
        self._known: Final[dict[tuple[str, ...], tuple[str, ...]]] = {}

    def of(self, layers: tuple[str, ...]) -> tuple[str, ...] | None:
        """In which order these layers, as a model lists them, run; None if that isn't known."""
        return self._known.get(layers)

    def learned(self, layers: tuple[str, ...], order: tuple[str, ...]) -> None:
        """They run in that order."""
        self._known[layers] = order


class OrderOfUse:
    """Writes down the order in which layers run for the first time, until `end`."""

    def __init__(self, model: nn.Module, layers: Sequence[str]) -> None:
        self._layers: Final = tuple(layers)
        self._seen: Final[dict[str, None]] = {}
        self.is_over = False
        self._hooks: Final[tuple[RemovableHandle, ...]] = tuple(
            model.get_submodule(name).register_forward_pre_hook(self._note(name)) for name in layers
        )

    @property
    def layers(self) -> tuple[str, ...]:
        """Those that ran, in order; then the others as they are listed."""
        return (*self._seen, *(name for name in self._layers if name not in self._seen))

    def end(self) -> None:
        """Write down no more."""
        self.is_over = True
        for hook in self._hooks:
            hook.remove()

    def _note(self, name: str) -> Callable[..., None]:
        def note(*_: Any) -> None:
            self._seen.setdefault(name)

        return note
