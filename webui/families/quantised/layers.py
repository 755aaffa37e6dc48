"""Layers that keep their weight in fewer bits and work out its true values each time they run.

The layer stays the library's object: its `forward` is replaced on the object, its parts lie on it
as buffers, so that it moves, streams and is found as any other. Its `weight` is a tensor without
storage, which tells shape and type to those who ask; the bias is as ever. torch is imported inside
the functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from webui.families.quantised.quantised import Form, Parts

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

BUFFER: Final = "quantised_"
"""Begins the names of the buffers that hold the parts. They are in no state_dict."""
FORM: Final = "quantised_form"
PLAIN: Final = "quantised_forward"
"""The layer's forward without a patch: the same object each time a patch is taken off, so that
what was captured with it holds again."""
WEIGHT: Final = ".weight"


@dataclass(frozen=True, kw_only=True)
class Patch:
    """What a layer does to its weight's true values before it uses them. `change` may write into
    the tensor it gets, which is the layer's to use up."""

    is_exact: bool
    """It wants float32, else the type the layer computes in."""
    change: Callable[[Tensor], Tensor]


@runtime_checkable
class Changeable(Protocol):
    """A form of weights that can be changed for good, and need no work each time they are used."""

    def change(self, layer: Any, patch: Patch | None) -> None:
        """As the function `patch`."""
        ...


def keep(model: nn.Module, key: str, weight: Form, parts: Parts, dtype: torch.dtype) -> bool:
    """Let the layer to which the parameter `key` belongs run on a weight made of `parts`; others
    shall take it for one of `dtype`. False, and nothing done, where it is no weight of a linear
    layer or a convolution."""
    import torch
    from torch import nn

    name = key.removesuffix(WEIGHT)
    layer: Any = model.get_submodule(name) if name != key else None
    if not isinstance(layer, nn.Linear | nn.Conv2d) or is_quantised(layer):
        return False
    del layer.weight
    layer.weight = torch.empty(weight.shape, dtype=dtype, device="meta")
    for part, tensor in parts.items():
        layer.register_buffer(BUFFER + part, tensor, persistent=False)
    setattr(layer, FORM, weight)
    setattr(layer, PLAIN, _Forward(layer, None))
    setattr(layer, "_apply", partial(_apply, layer))  # noqa: B010 - a method, for the types
    patch(layer, None)
    return True


def is_quantised(layer: nn.Module) -> bool:
    """Whether a layer keeps its weight in fewer bits."""
    return hasattr(layer, FORM)


def form(layer: nn.Module) -> Form:
    """What is to be known of the weight of a layer for which `is_quantised`."""
    found: Form = getattr(layer, FORM)
    return found


def parts(layer: nn.Module) -> Parts:
    """The tensors that make its weight, where they are now."""
    buffers = layer.named_buffers(recurse=False)
    return {
        name.removeprefix(BUFFER): tensor for name, tensor in buffers if name.startswith(BUFFER)
    }


def patch(layer: Any, change: Patch | None) -> None:
    """From now on a layer for which `is_quantised` changes its weight so each time it runs; with
    None it is again what it was, to the last bit. Each patch is another `forward`: so whoever
    captured the layer sees that it is another. Forms that can do it better do so themselves."""
    if isinstance(own := getattr(layer, FORM), Changeable):
        own.change(layer, change)
        return
    layer.forward = getattr(layer, PLAIN) if change is None else _Forward(layer, change)


def values(layer: Any, dtype: torch.dtype) -> Tensor:
    """The true values that a layer computes with now, its patch applied, in a new tensor."""
    forward: _Forward = layer.forward
    return forward.values(dtype)


class _Forward:
    """Runs a layer on the true values of its weight, worked out anew."""

    def __init__(self, layer: Any, change: Patch | None) -> None:
        self._layer: Final = layer
        self._change: Final = change

    def __call__(self, x: Tensor) -> Tensor:
        from torch import nn

        layer, weight = self._layer, self.values(x.dtype)
        if isinstance(layer, nn.Conv2d):
            convolved: Tensor = layer._conv_forward(x, weight, layer.bias)
            return convolved
        return nn.functional.linear(x, weight, layer.bias)

    def values(self, dtype: torch.dtype) -> Tensor:
        import torch

        weight, own = form(self._layer), parts(self._layer)
        if self._change is None:
            return weight.dequantise(own, dtype)
        base = weight.dequantise(own, torch.float32 if self._change.is_exact else dtype)
        return self._change.change(base).to(dtype)


def _apply(layer: Any, change: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
    """In place of Module._apply, by which `to` and `float` work: packed parts are moved, never
    cast; the weight that others see has its type changed."""
    import torch
    from torch import nn

    packed = {id(part) for part in parts(layer).values()}

    def apart(tensor: Tensor) -> Tensor:
        if id(tensor) not in packed:
            return change(tensor)
        moved = change(tensor.reshape(-1).view(torch.uint8))
        return moved.view(tensor.dtype).reshape(tensor.shape)

    whole: Any = nn.Module  # untyped there
    done = whole._apply(layer, apart, recurse)
    dtype = change(torch.empty(0, dtype=layer.weight.dtype)).dtype
    layer.weight = torch.empty(layer.weight.shape, dtype=dtype, device="meta")
    return done
