"""A network as read from its file: which layers it changes and how. Tied to no model yet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from webui.core.errors import ModelUnreadable
from webui.core.registry import Registry
from webui.modelfiles.header import read_front
from webui.networks import dora
from webui.networks.format import Format, Parts, load_formats
from webui.networks.keys import BUNDLED, Place, split_key

if TYPE_CHECKING:
    from torch import Tensor

BIASES: Final = ("diff_b", "b_norm")
BESIDE: Final = frozenset({"alpha", "scale", dora.PART, *BIASES})
"""Parts that may lie beside those of any format."""
PEFT_SETTINGS: Final = "lora_adapter_metadata"


@dataclass(frozen=True, kw_only=True)
class Layer:
    """How one layer of a model changes. Without a format only its bias does."""

    format: Format | None
    parts: Parts

    @property
    def bias(self) -> Tensor | None:
        """The change of the layer's bias."""
        return next((self.parts[name] for name in BIASES if name in self.parts), None)


@dataclass(frozen=True, kw_only=True)
class Network:
    """A LoRA or one of its relatives."""

    name: str
    layers: Mapping[Place, Layer]
    unknown: tuple[str, ...] = ()
    """Names of tensors that no format here has."""
    embeddings: Mapping[str, Mapping[str, Tensor]]
    """Textual inversions that came with it: vectors by encoder, by the word that calls them."""

    @property
    def formats(self) -> tuple[str, ...]:
        """What it is made of, for people."""
        labels = {layer.format.label for layer in self.layers.values() if layer.format}
        has_lengths = any(dora.PART in layer.parts for layer in self.layers.values())
        return tuple(sorted(labels | ({"DoRA"} if has_lengths else set())))


def read_network(path: Path) -> Network:
    """The network in a safetensors file, its tensors on the CPU as they are stored.

    Raises ModelUnreadable.
    """
    from safetensors import SafetensorError, safe_open

    metadata = read_front(path).metadata
    try:
        with safe_open(path, framework="pt") as file:
            # copied: a file overwritten while its mapped pages are in use ends the process
            tensors = {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118
            return make_network(path.stem, tensors, metadata)
    except (SafetensorError, OSError) as error:
        raise ModelUnreadable(
            path.stem, f"the file is damaged or gone ({error}). Download it again."
        ) from error


def make_network(
    name: str, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> Network:
    """The network that tensors of these names make. Raises ModelUnreadable."""
    bundled = {key: value for key, value in tensors.items() if key.startswith(BUNDLED)}
    grouped, names, unknown = _grouped(tensors, bundled)
    formats, layers = load_formats(), {}
    for place, parts in grouped.items():
        layer, rest = _layer(parts, formats)
        unknown += [names[place, part] for part in rest]
        if layer is not None:
            layers[place] = layer
    if not layers:
        raise ModelUnreadable(
            name,
            f"none of its {len(tensors)} tensors is of a kind of network that this version "
            "knows. Look for another version of it.",
        )
    layers = _with_peft_alphas(layers, metadata or {})
    return Network(
        name=name, layers=layers, unknown=tuple(sorted(unknown)), embeddings=_bundles(bundled)
    )


def _grouped(
    tensors: Mapping[str, Tensor], bundled: Mapping[str, Tensor]
) -> tuple[dict[Place, dict[str, Tensor]], dict[tuple[Place, str], str], list[str]]:
    """Parts by layer, the full name of each part, and names that mean nothing."""
    grouped: dict[Place, dict[str, Tensor]] = {}
    names: dict[tuple[Place, str], str] = {}
    unknown: list[str] = []
    for key in sorted(tensors.keys() - bundled.keys()):
        if (found := split_key(key)) is None:
            unknown.append(key)
            continue
        place, part = found
        grouped.setdefault(place, {})[part] = tensors[key]
        names[found] = key
    return grouped, names, unknown


def _layer(parts: Parts, formats: Registry[Format]) -> tuple[Layer | None, set[str]]:
    """What these parts of one layer make, and the names of parts that are left over."""
    format = next((one for one in formats if one.fits(parts)), None)
    known = BESIDE | (format.parts if format else frozenset())
    layer = Layer(format=format, parts={name: parts[name] for name in parts if name in known})
    if format is None and layer.bias is None:
        return None, set(parts)
    return layer, set(parts) - known


def _bundles(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Named "bundle_emb.<word>.string_to_param.*", or "bundle_emb.<word>.clip_l" and clip_g."""
    found: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        word, _, part = key.removeprefix(BUNDLED).partition(".")
        encoder = "text_encoder_2" if part == "clip_g" else "text_encoder"
        found.setdefault(word, {})[encoder] = tensor.reshape(-1, tensor.shape[-1])
    return found


def _with_peft_alphas(
    layers: Mapping[Place, Layer], metadata: Mapping[str, str]
) -> dict[Place, Layer]:
    """peft keeps alphas out of its tensors; diffusers puts them into the metadata since 0.34."""
    try:
        settings = json.loads(metadata.get(PEFT_SETTINGS, "{}"))
    except (ValueError, RecursionError):
        settings = {}
    if not isinstance(settings, dict) or not settings:
        return dict(layers)
    return {place: _with_alpha(place, layer, settings) for place, layer in layers.items()}


def _with_alpha(place: Place, layer: Layer, settings: Mapping[str, Any]) -> Layer:
    alpha = settings.get(f"{place.part}.lora_alpha")
    patterns = settings.get(f"{place.part}.alpha_pattern")
    for pattern, value in patterns.items() if isinstance(patterns, dict) else ():
        if f"_{place.module}".endswith("_" + str(pattern).replace(".", "_")):
            alpha = value
    down = layer.parts.get("lora_down.weight")
    if down is None or "alpha" in layer.parts or not isinstance(alpha, int | float):
        return layer
    if settings.get(f"{place.part}.use_rslora"):
        part, value = "scale", alpha / down.shape[0] ** 0.5
    else:
        part, value = "alpha", float(alpha)
    return Layer(
        format=layer.format,
        # float64: a half-precision alpha would round
        parts={**layer.parts, part: down.new_tensor(value, dtype=down.double().dtype)},
    )
