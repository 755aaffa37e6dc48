"""Puts layers of 8 bits into networks as they are built, before their weights are read."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import torch
from diffusers.models.modeling_utils import ModelMixin
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn

from webui.engine.caching.first_block import blocks_of
from webui.engine.fp8.layer import SCALE, VALUES, Fp8Linear
from webui.engine.fp8.scaling import packed
from webui.engine.weights.carrier import read_now
from webui.families.quantised.layers import BUFFER, form, is_quantised
from webui.families.weight_table import Weight, WeightTable

log = logging.getLogger(__name__)

Defer = Callable[[nn.Module, WeightTable], None]
"""See Placement.defer."""

IN_UNETS: Final = "BasicTransformerBlock"
EDGE: Final = 16
"""Sides of a matrix must be multiples of it."""
READ_TEXT: Final = ("attn2.to_k", "attn2.to_v")
"""Have few rows to multiply: nothing would be gained."""
WIDE: Final = 2
"""How many times as wide as what comes in the answers of a UNet's layers must be. With others,
bringing the rows to 8 bits takes as long as it saves (measured on an H100 with SDXL)."""
OF_NORMS: Final = "norm"
"""In the name of layers that turn the time into scales and shifts: one row, felt everywhere."""
WEIGHT: Final = "weight"
WEIGHTS: Final = (WEIGHT, BUFFER)
"""How the names of what makes a weight begin."""


class InFp8:
    """Whoever takes charge of a model that was built gets a network with layers of 8 bits, and the
    table of its weights accordingly. Text encoders and VAEs are handed on as they are, and so are
    layers that keep their weight in fewer bits than 8.

    Half of these weights' room on the device; on the computer they are kept as well, because no
    file has them. They stream like all others.
    """

    def __init__(self, defer: Defer) -> None:
        self._defer: Final = defer

    @torch.inference_mode(False)
    def __call__(self, model: nn.Module, table: WeightTable) -> None:
        """As Placement.defer. Raises ModelUnreadable."""
        self._defer(model, _converted(model, table))


def _converted(model: nn.Module, table: WeightTable) -> WeightTable:
    layers = dict(_layers(model))
    found: dict[str, list[Weight]] = {}
    rest: list[Weight] = []
    for weight in table.weights:
        layer, _, name = weight.keys[0].rpartition(".")
        is_wanted = layer in layers and len(weight.keys) == 1 and name.startswith(WEIGHTS)
        (found.setdefault(layer, []) if is_wanted else rest).append(weight)
    for name, weights in found.items():
        original = _Original(layers[name], weights)
        rest.extend(
            _exchanged(model, name, original, table.device) if original.is_wide else weights
        )
    if not found:
        return table
    log.info("%s: %d layers multiply in 8 bits.", table.name, len(found))
    return replace(table, weights=tuple(rest), build="")  # a next model wants the plain layers


class _Original:
    """A layer as it was built, and the weight of its files."""

    def __init__(self, layer: nn.Linear, weights: Sequence[Weight]) -> None:
        self.layer: Final = layer
        self._weights: Final = {each.keys[0].rpartition(".")[2]: each for each in weights}
        self._form: Final = form(layer) if is_quantised(layer) else None

    @property
    def is_wide(self) -> bool:
        """Whether it has 8 bits or more for each number."""
        size = sum(each.size_bytes for each in self._weights.values())
        return size >= self.layer.in_features * self.layer.out_features

    def read(self) -> Tensor:
        """Its true values, in the computer's memory. Raises ModelUnreadable."""
        parts = {name: read_now(each) for name, each in self._weights.items()}
        if self._form is None:
            return parts[WEIGHT]
        bare = {name.removeprefix(BUFFER): part for name, part in parts.items()}
        return self._form.dequantise(bare, torch.float32)


def _layers(model: nn.Module) -> Iterator[tuple[str, nn.Linear]]:
    """The layers of a diffusion network that are worth it."""
    blocks = set(_blocks(model))
    least = WIDE if isinstance(model, UNet2DConditionModel) else 0
    for path, block in model.named_modules():
        if block not in blocks:
            continue
        for name, layer in block.named_modules():
            if type(layer) is nn.Linear and _is_worth(name, layer, least * layer.in_features):
                yield f"{path}.{name}", layer


def _blocks(model: nn.Module) -> list[nn.Module]:
    if isinstance(model, UNet2DConditionModel):
        return [each for each in model.modules() if type(each).__name__ == IN_UNETS]
    return blocks_of(model) if isinstance(model, ModelMixin) else []


def _is_worth(name: str, layer: nn.Linear, least: int) -> bool:
    if layer.out_features < least or name.startswith(READ_TEXT) or OF_NORMS in name.lower():
        return False
    return layer.in_features % EDGE == layer.out_features % EDGE == 0


def _exchanged(
    model: nn.Module, name: str, original: _Original, device: torch.device
) -> Iterator[Weight]:
    """Puts a layer in the place of another; gives what its weight is made of."""
    values, scale = (each.cpu() for each in packed(original.read().to(device)))
    layer = Fp8Linear(original.layer, original.read, values, scale)
    parent: Any = model.get_submodule(name.rpartition(".")[0])
    setattr(parent, name.rpartition(".")[2], layer)
    for part, tensor in ((VALUES, values), (SCALE, scale)):
        yield Weight(
            keys=(f"{name}.{part}",),
            shape=tuple(tensor.shape),
            dtype=tensor.dtype,
            source=tensor,
        )
