"""How tensors are named in network files, by trainer and library. Names only.

A name is <place><module><part>. kohya's trainer and LyCORIS write "lora_unet_mid_block_..._to_q" +
".lora_up.weight" with underscores for dots; diffusers and peft write "unet.mid_block...to_q" +
".lora_B.weight"; older diffusers "...attn1.processor.to_q" + "_lora.up.weight". Module names are
those of diffusers, or of the original (LDM) layout. Here all become one.

XLabs' trainer for Flux (github.com/XLabs-AI/x-flux) names its own processors instead of the layers:
"double_blocks.0.processor.qkv_lora1.down.weight", where 1 is the picture's side and 2 the text's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

UNET: Final = "unet"
TEXT_ENCODER: Final = "text_encoder"
TEXT_ENCODERS: Final = (TEXT_ENCODER, "text_encoder_2", "text_encoder_3")
BUNDLED: Final = "bundle_emb."
"""Before the tensors of embeddings that lie in a network's file."""

_PLAIN: Final = (
    "lora_up.weight",
    "lora_down.weight",
    "lora_mid.weight",
    *(f"hada_{name}" for name in ("w1_a", "w1_b", "w2_a", "w2_b", "t1", "t2")),
    *(f"lokr_{name}" for name in ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b", "t2")),
    *(f"{name}.weight" for name in ("a1", "a2", "b1", "b2")),
    "on_input",
    "diff",
    "diff_b",
    "w_norm",
    "b_norm",
    "oft_blocks",
    "oft_diag",
    "rescale",
    "dora_scale",
    "alpha",
    "scale",
)
_ENDINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{f".{part}": part for part in _PLAIN},
        **{f"{join}lora.up.weight": "lora_up.weight" for join in "._"},
        **{f"{join}lora.down.weight": "lora_down.weight" for join in "._"},
        **{f"{join}lora.alpha": "alpha" for join in "._"},
        ".lora_linear_layer.up.weight": "lora_up.weight",
        ".lora_linear_layer.down.weight": "lora_down.weight",
        **{f".lora_B{adapter}.weight": "lora_up.weight" for adapter in ("", ".default")},
        **{f".lora_A{adapter}.weight": "lora_down.weight" for adapter in ("", ".default")},
        **{
            f".lora_magnitude_vector{rest}": "dora_scale"
            for rest in ("", ".weight", ".default", ".default.weight")
        },
    }
)
"""What stands after a module's name, and the part that it is."""

_LONGEST_FIRST: Final = tuple(sorted(_ENDINGS.items(), key=lambda item: len(item[0]), reverse=True))

_IA3: Final = ".weight"
"""The one ending that others end with too: tried last."""

_SHARED: Final = frozenset({".alpha", ".scale", ".rescale"})

_PLACES: Final = (
    ("lora_unet_", UNET),
    ("lycoris_unet_", UNET),
    ("oft_unet_", UNET),
    ("lora_te1_", TEXT_ENCODERS[0]),
    ("lora_te2_", TEXT_ENCODERS[1]),
    ("lora_te3_", TEXT_ENCODERS[2]),
    ("lora_te_", TEXT_ENCODER),
    ("lycoris_te_", TEXT_ENCODER),
    ("oft_te_", TEXT_ENCODER),
    ("lora_transformer_", "transformer"),
    ("unet.", UNET),
    ("model.diffusion_model.", UNET),
    ("diffusion_model.", UNET),
    ("text_encoder.", TEXT_ENCODERS[0]),
    ("text_encoder_2.", TEXT_ENCODERS[1]),
    ("text_encoder_3.", TEXT_ENCODERS[2]),
    ("text_encoders.clip_l.transformer.", TEXT_ENCODERS[0]),
    ("text_encoders.clip_g.transformer.", TEXT_ENCODERS[1]),
    ("cond_stage_model.transformer.", TEXT_ENCODER),
    ("cond_stage_model.model.", TEXT_ENCODER),
    ("conditioner.embedders.0.transformer.", TEXT_ENCODERS[0]),
    ("conditioner.embedders.1.model.", TEXT_ENCODERS[1]),
    ("transformer.", "transformer"),
    ("lycoris_", UNET),
    ("", UNET),
)
"""What stands before a module's name, and the part of the model it lies in; the first that fits.
Without any of them diffusers means the UNet."""

_WRAPPER: Final = "base_model.model."
_ATTENTION_OF_TEXT: Final = (
    ("self_attn_to_q", "self_attn_q_proj"),
    ("self_attn_to_k", "self_attn_k_proj"),
    ("self_attn_to_v", "self_attn_v_proj"),
    ("self_attn_to_out_0", "self_attn_out_proj"),
)
"""Early diffusers gave the text encoder's layers the UNet's names."""

_XLABS: Final = re.compile(
    r"(?P<block>.*(?:double|single)_blocks\.\d+)\.processor\."
    r"(?P<layer>qkv|proj)_lora(?P<side>[12]?)\.(?P<half>down|up)\.weight"
)
_XLABS_SIDES: Final = MappingProxyType({"1": "img_attn", "2": "txt_attn"})
_XLABS_SINGLE: Final = MappingProxyType({"qkv": "linear1", "proj": "linear2"})
_XLABS_ENDINGS: Final = tuple(f"_lora{n}.{half}.weight" for n in "12" for half in ("up", "down"))

MARKS: Final = (
    *(ending for ending in _ENDINGS if ending not in _SHARED),
    *_XLABS_ENDINGS,
)
"""Endings that only tensors of networks have."""


class Place(NamedTuple):
    """A layer of a model: the part it lies in, and its module's name with underscores."""

    part: str
    module: str


def is_network(keys: Iterable[str]) -> bool:
    """Whether these are the names of a network's tensors."""
    return any(key.endswith(MARKS) for key in keys)


def split_key(key: str) -> tuple[Place, str] | None:
    """The layer that a tensor belongs to, and which of its parts it is; None if no network has
    such names."""
    if (found := _XLABS.fullmatch(key)) is not None:
        return place_of(_xlabs_layer(found)), f"lora_{found['half']}.weight"
    for ending, part in _LONGEST_FIRST:
        if key.endswith(ending):
            return place_of(key[: -len(ending)]), part
    if key.endswith(_IA3):
        return place_of(key.removesuffix(_IA3)), "weight"
    return None


def place_of(name: str) -> Place:
    """The layer that is meant by what stands before a part."""
    name = name.removeprefix(_WRAPPER).replace(".processor.", ".")
    for prefix, part in _PLACES:
        if name.startswith(prefix):
            return Place(part, flat_name(part, name[len(prefix) :]))
    raise AssertionError("The last prefix fits any name.")


def flat_name(part: str, module: str) -> str:
    """A module's name as it is compared: with underscores; of a text encoder without the level
    that some versions of transformers have."""
    flat = module.replace(".", "_")
    if flat.endswith("_to_out"):
        flat += "_0"
    if part not in TEXT_ENCODERS:
        return flat
    for old, new in _ATTENTION_OF_TEXT:
        flat = flat.removesuffix(old) + new if flat.endswith(old) else flat
    return flat.removeprefix("text_model_")


def _xlabs_layer(found: re.Match[str]) -> str:
    """The original name of a layer that XLabs' trainer calls by its processor."""
    if side := _XLABS_SIDES.get(found["side"]):
        return f"{found['block']}.{side}.{found['layer']}"
    return f"{found['block']}.{_XLABS_SINGLE[found['layer']]}"
