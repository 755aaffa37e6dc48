"""The layers of a loaded model, under every name by which network files call them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, TypeGuard

from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import nn
from transformers import CLIPTextModel, CLIPTextModelWithProjection
from transformers.models.t5.modeling_t5 import T5Stack

from webui.families import ldm_layout
from webui.families.components import Components
from webui.families.open_clip_layout import PROJECTION, open_clip_names
from webui.families.weights import Piece
from webui.networks.keys import TEXT_ENCODERS, UNET, Place, flat_name

BASE: Final = "BASE"
MIDDLE: Final = "MID"
WEIGHT: Final = ".weight"
TRANSFORMER: Final = "transformer"
"""What some networks call a diffusion model that is no UNet."""
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


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one layer of a model is of a layer in original files, which fuse several into one."""

    target: Target
    piece: Piece


@dataclass(frozen=True, kw_only=True)
class Layers:
    """The layers of a model that have a weight, by their places in networks. One may stand under
    several names: the library's, the original's."""

    whole: Mapping[Place, Target]
    fused: Mapping[Place, Sequence[Share]]
    """Places that are several layers here."""


def layers_of(components: Components) -> Layers:
    """All layers of a model that networks may change."""
    whole: dict[Place, Target] = {}
    fused: dict[Place, list[Share]] = defaultdict(list)
    for part in (UNET, *TEXT_ENCODERS):
        model = components.part(part)
        if not isinstance(model, nn.Module):  # only some families have a second text encoder
            continue
        originals = _originals(components, model) if part == UNET else _open_clip(model)
        for target, original in _targets(part, model, originals):
            names = [_own_name(model, target.name)]
            if isinstance(original, Piece):
                for place in _places(part, model, [original.key.removesuffix(WEIGHT)]):
                    fused[place].append(Share(target=target, piece=original))
            elif original:
                names.append(original)
            whole |= dict.fromkeys(_places(part, model, names), target)
    return Layers(whole=whole, fused=fused)


def _targets(
    part: str, model: nn.Module, originals: Mapping[str, str | Piece]
) -> Iterator[tuple[Target, str | Piece]]:
    for name, module in _weighty(model):
        original = originals.get(name, "")
        block = _block(original) if isinstance(original, str) else BASE
        yield Target(part=part, name=name, block=block, module=module), original


def _places(part: str, model: nn.Module, names: Iterable[str]) -> Iterator[Place]:
    """Where networks look for a layer. Some call a transformer so, others by the UNet's name; T5
    is the third text encoder to some, whichever it is here."""
    parts = {part}
    if part == UNET and not _is_unet(model):
        parts.add(TRANSFORMER)
    if isinstance(model, T5Stack):
        parts.add(TEXT_ENCODERS[-1])
    for name in names:
        for alias in parts:
            yield Place(alias, flat_name(alias, name))


def _own_name(model: nn.Module, name: str) -> str:
    """A layer's name in the library; there T5 has a level more than the half of it in use."""
    return f"encoder.{name}" if isinstance(model, T5Stack) else name


def _originals(components: Components, model: nn.Module) -> Mapping[str, str | Piece]:
    """What each module of the diffusion model is in original files."""
    keys = [name + WEIGHT for name, _ in _weighty(model)]
    if not _is_unet(model):
        told = {} if components.original_names is None else components.original_names(keys)
        plain = {key: _without_ending(name) for key, name in told.items()}
    else:
        layers_per_block = int(model.config.layers_per_block)
        found = ldm_layout.unet_names(keys, layers_per_block)
        plain = {
            key: name.removeprefix(ldm_layout.UNET).removesuffix(WEIGHT)
            for key, name in found.items()
        }
    return {key.removesuffix(WEIGHT): name for key, name in plain.items()}


def _open_clip(model: nn.Module) -> Mapping[str, str | Piece]:
    """What each module of a CLIP is in files of OpenCLIP; nothing for other text encoders."""
    if not isinstance(model, CLIPTextModel | CLIPTextModelWithProjection):
        return {}
    modules = [name for name, _ in _weighty(model) if name != PROJECTION]
    keys = [name + WEIGHT for name in modules]
    names = open_clip_names(keys, "", int(model.config.hidden_size))
    return {name: _bare(names[name + WEIGHT]) for name in modules}


def _bare(name: str | Piece) -> str | Piece:
    """Without the ending; there that of joined tensors has no dot."""
    if isinstance(name, Piece):
        return replace(name, key=name.key.removesuffix("_weight"))
    return name.removesuffix(WEIGHT)


def _weighty(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Its layers that have a weight."""
    for name, module in model.named_modules():
        if getattr(module, "weight", None) is not None:
            yield name, module


def _without_ending(name: str | Piece) -> str | Piece:
    return name.removesuffix(WEIGHT) if isinstance(name, str) else name


def _is_unet(model: nn.Module) -> TypeGuard[UNet2DConditionModel]:
    return isinstance(model, UNet2DConditionModel)


def _block(original: str) -> str:
    if match := _BLOCK.match(original):
        return f"{_SIDES[match['side']]}{int(match['index']):02}"
    return MIDDLE if original.startswith("middle_block.") else BASE
