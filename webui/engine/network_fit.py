"""Whether a network fits a model, told by names and sizes before anything is changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from torch import Tensor, nn

from webui.core.errors import InvalidRequest, ModelUnreadable
from webui.engine.network_layers import Layers, Target
from webui.engine.network_rows import spread
from webui.networks import dora
from webui.networks.format import Size
from webui.networks.keys import TEXT_ENCODERS, Place
from webui.networks.network import Layer, Network

LISTENING: Final = ("attn2_to_k", "attn2_to_v")
"""Layers of a UNet that take the text: their width differs between families."""

READING: Final = ("q_proj", "k_proj", "v_proj", "fc1")
"""Layers of a text encoder that are as wide as its text."""

MADE_FOR: Final[Mapping[int, str]] = MappingProxyType(
    {768: "Stable Diffusion 1.5", 1024: "Stable Diffusion 2", 2048: "Stable Diffusion XL"}
)


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Which of a network's layers are used, by the layer of the model. `note` says what is not,
    empty where all is."""

    layers: Mapping[Target, Layer]
    embeddings: Mapping[str, Mapping[str, Tensor]]
    note: str


def fit(network: Network, model: Layers) -> Fit:
    """The network's layers on the model's. Raises InvalidRequest where it was made for another
    family, ModelUnreadable where it is damaged."""
    network, targets = spread(network, model), model.whole
    layers: dict[Target, Layer] = {}
    absent: list[Place] = []
    misfits: list[Place] = []
    for place, layer in network.layers.items():
        if (target := targets.get(place)) is None:
            absent.append(place)
        elif _is_fitting(network.name, layer, target.module):
            layers[target] = layer
        else:
            _check_family(network, place, layer, target)
            misfits.append(place)
    if len(layers) <= len(misfits):
        raise InvalidRequest("prompt", _refusal(network, [*misfits, *absent]))
    note = _note(network, len(layers), absent, misfits)
    return Fit(layers=layers, embeddings=network.embeddings, note=note)


def _is_fitting(name: str, layer: Layer, module: nn.Module) -> bool:
    weight, bias = _parameter(module, "weight"), _parameter(module, "bias")
    try:
        fits = layer.format is None or _is_sized(layer.format.size(layer.parts), weight)
        if (lengths := layer.parts.get(dora.PART)) is not None:
            fits = fits and weight is not None and dora.fits(lengths, weight)
        if layer.bias is not None:
            fits = fits and bias is not None and layer.bias.numel() == bias.numel()
    except (IndexError, KeyError, RuntimeError) as error:
        raise ModelUnreadable(
            name, f"one of its layers can't be read ({error}). Download it again."
        ) from error
    return fits


def _parameter(module: nn.Module, name: str) -> Tensor | None:
    found = getattr(module, name, None)
    return found if isinstance(found, Tensor) else None


def _is_sized(size: Size, weight: Tensor | None) -> bool:
    if weight is None:
        return False
    wanted = (weight.shape[0], weight.numel() // weight.shape[0])
    return all(mine in (None, its) for mine, its in zip(size, wanted, strict=True))


def _check_family(network: Network, place: Place, layer: Layer, target: Target) -> None:
    """Refuses a network whose text is of another width than the model's."""
    is_listening = place.module.endswith(LISTENING)
    is_reading = place.part in TEXT_ENCODERS and place.module.endswith(READING)
    if layer.format is None or not (is_listening or is_reading):
        return
    width, weight = layer.format.size(layer.parts)[1], _parameter(target.module, "weight")
    if width is None or weight is None or weight.ndim != 2:
        return
    own = weight.shape[1]
    made_for = MADE_FOR.get(width, "another kind of model") if is_listening else "another model"
    raise InvalidRequest(
        "prompt",
        f"The network “{network.name}” was made for {made_for}: its text is {width} wide, "
        f"this model's text encoder is {own} wide. "
        "Take it out of the prompt, or choose a model that it was made for.",
    )


def _refusal(network: Network, unused: list[Place]) -> str:
    first = f"{unused[0].part}.{unused[0].module}"
    return (
        f"The network “{network.name}” does not fit this model: {len(unused)} of its "
        f"{len(network.layers)} layers are not here or have another size (the first is {first}). "
        "Take it out of the prompt, or choose a model that it was made for."
    )


def _note(network: Network, used: int, absent: list[Place], misfits: list[Place]) -> str:
    facts = []
    if absent:
        facts.append(f"{len(absent)} are for layers that this model does not have")
    if misfits:
        facts.append(f"{len(misfits)} have another size than this model's")
    if network.unknown:
        facts.append(
            f"{len(network.unknown)} tensors are of no known kind (the first is "
            f"{network.unknown[0]})"
        )
    if not facts:
        return ""
    return (
        f"The network “{network.name}” fits partly: {used} of its {len(network.layers)} layers "
        f"are used; {'; '.join(facts)}."
    )
