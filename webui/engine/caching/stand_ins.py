"""Puts other code in the place of some modules' own, for the time of a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from torch import nn

FORWARD: Final = "forward"
Code = Callable[..., Any]
"""Takes a module's arguments, gives what the module would."""


def own_code(module: nn.Module) -> Code:
    """What a module runs by itself."""
    code: Code = module.forward
    return code


@contextmanager
def standing_in(codes: Mapping[nn.Module, Code]) -> Iterator[None]:
    """While it lasts, each module runs the code given for it; after, what it ran before.

    Hooks on the modules go on being called. Whoever records the network sees other code: as long
    as these are the same objects each time, it is the same other code.
    """
    before = {module: vars(module).get(FORWARD) for module in codes}
    for module, code in codes.items():
        setattr(module, FORWARD, code)
    try:
        yield
    finally:
        for module, former in before.items():
            delattr(module, FORWARD)
            if former is not None:
                setattr(module, FORWARD, former)
