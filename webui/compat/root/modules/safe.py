"""Reading pickles that hold tensors. What could run code is refused, whatever a script asks."""

from __future__ import annotations

from typing import Any

from webui.compat.missing import unprovided


class Extra:
    """Further names that a pickle may hold, while it is entered. Only tensors are ever allowed, so
    it changes nothing; kept because scripts name it."""

    def __init__(self, handler: Any) -> None:
        self.handler = handler

    def __enter__(self) -> None:
        return None

    def __exit__(self, *error: object) -> None:
        return None


def load(filename: Any, *args: Any, **kwargs: Any) -> Any:
    """As torch.load, for tensors only. Raises what torch raises for anything else."""
    import torch

    kwargs["weights_only"] = True
    kwargs.setdefault("map_location", "cpu")
    kwargs.pop("pickle_module", None)
    return torch.load(filename, *args, **kwargs)


def load_with_extra(filename: Any, extra_handler: Any = None, *args: Any, **kwargs: Any) -> Any:
    """As `load`."""
    return load(filename, *args, **kwargs)


def check_pt(filename: Any, extra_handler: Any = None) -> None:
    """Raises if a file holds more than tensors."""
    load(filename)


unsafe_torch_load = load
"""Not so here: whatever its name says, only tensors are read."""
global_extra_handler: Any = None

__getattr__ = unprovided(__name__)
