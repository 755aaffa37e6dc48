"""In which order a model's layers run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

log = logging.getLogger(__name__)


class OrderOfUse:
    """Writes down the order in which layers run for the first time, until its hooks are removed."""

    def __init__(self, model: nn.Module, layers: Sequence[str]) -> None:
        self._seen: Final[dict[str, None]] = {}
        self.hooks: Final[tuple[RemovableHandle, ...]] = tuple(
            model.get_submodule(name).register_forward_pre_hook(self._note(name)) for name in layers
        )

    @property
    def layers(self) -> tuple[str, ...]:
        """Those that ran, in order. A layer that did not run may still be read by another."""
        return tuple(self._seen)

    def _note(self, name: str) -> Callable[..., None]:
        def note(*_: Any) -> None:
            self._seen.setdefault(name)

        return note


def order_of_use(
    model: nn.Module, layers: Sequence[str], run: Callable[[], object]
) -> tuple[str, ...] | None:
    """Those of the layers that run in one forward, in order; None where that can't run."""
    seen = OrderOfUse(model, layers)
    try:
        with torch.no_grad():
            run()
    except (RuntimeError, TypeError, ValueError, AttributeError) as error:
        log.debug("No forward without weights (%s).", error)
        return None
    finally:
        for hook in seen.hooks:
            hook.remove()
    return seen.layers
