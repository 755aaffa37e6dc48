"""The layers of a loaded model, under every name by which network files call them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from torch import nn

from webui.families import ldm_layout
from webui.families.components import Components
from webui.networks.keys import TEXT_ENCODERS, UNET, Place, flat_name

BASE: Final = "BASE"
MIDDLE: Final = "MID"
WEIGHT: Final = ".weight"
_BLOCK: Final = re.compile(r"(?P<side>input|output)_blocks\.(?P<index>\d+)\.")
_SIDES: Final = MappingProxyType({"input": "IN", "output": "OUT"})


@dataclass(frozen=True, kw_only=True)
class Target:
    """One layer of a model. `block` is the part of the UNet that block weights call so: IN00 to
    IN11, MID, OUT00 to OUT11; BASE for all else, text encoders included."""

    part: str
    name: str
    block: str
    module: nn.Module


def layers_of(components: Components) -> dict[Place, Target]:
    """All layers that have a weight. One layer may stand under two names: diffusers' and that of
    the original layout."""
    layers: dict[Place, Target] = {}
    for part in (UNET, *TEXT_ENCODERS):
        model = components.part(part)
        if isinstance(model, nn.Module):  # only some families have a second text encoder
            layers.update(_layers_of_part(part, model))
    return layers


def _layers_of_part(part: str, model: nn.Module) -> Iterator[tuple[Place, Target]]:
    modules = dict(model.named_modules())
    names = [name for name in modules if getattr(modules[name], "weight", None) is not None]
    originals = _original_names(model, names) if part == UNET else {}
    for name in names:
        original = originals.get(name, "")
        target = Target(part=part, name=name, block=_block(original), module=modules[name])
        for alias in filter(None, (name, original)):
            yield Place(part, flat_name(part, alias)), target


def _original_names(unet: nn.Module, modules: Collection[str]) -> Mapping[str, str]:
    """The name in the original layout of each module of a UNet."""
    keys = [name + WEIGHT for name in modules]
    layers_per_block = int(getattr(unet, "config").layers_per_block)  # noqa: B009 - untyped there
    names = ldm_layout.unet_names(keys, layers_per_block)
    return {
        key.removesuffix(WEIGHT): name.removeprefix(ldm_layout.UNET).removesuffix(WEIGHT)
        for key, name in names.items()
    }


def _block(original: str) -> str:
    if match := _BLOCK.match(original):
        return f"{_SIDES[match['side']]}{int(match['index']):02}"
    return MIDDLE if original.startswith("middle_block.") else BASE
