"""Small things about tensors."""

from __future__ import annotations

from typing import Any

from webui.compat.missing import unprovided


def get_param(model: Any) -> Any:
    """A parameter of a network."""
    return next(model.parameters())


def float64(t: Any) -> Any:
    """The widest precision that a tensor's device has."""
    import torch

    return torch.float32 if t.device.type in ("mps", "xpu") else torch.float64


__getattr__ = unprovided(__name__)
