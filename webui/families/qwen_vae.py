"""The VAE of Qwen-Image, made for films: by diffusers' names and by the original ones.

torch and diffusers are imported inside the functions.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from webui.core.errors import ModelUnreadable
from webui.families.components import Placement
from webui.families.weights import TensorFiles, build

SETTINGS: Final[Mapping[str, Any]] = MappingProxyType({"z_dim": 16})
"""What tells it from other VAEs; all else is as the library has it."""
PREFIXES: Final = ("", "vae.", "first_stage_model.")
ORIGINAL_MARK: Final = "decoder.conv1.weight"
DIFFUSERS_MARK: Final = "decoder.conv_in.weight"
LAYERS: Final = 4
"""Of a block of the decoder: three pairs of convolutions and what enlarges."""

_SIMPLE: Final = (
    ("quant_conv.", "conv1."),
    ("post_quant_conv.", "conv2."),
)
_PARTS: Final = (
    (".conv_in.", ".conv1."),
    (".norm_out.", ".head.0."),
    (".conv_out.", ".head.2."),
    (".mid_block.resnets.0.", ".middle.0."),
    (".mid_block.attentions.0.", ".middle.1."),
    (".mid_block.resnets.1.", ".middle.2."),
    (".down_blocks.", ".downsamples."),
)
_PAIR: Final = (
    (".norm1.", ".residual.0."),
    (".conv1.", ".residual.2."),
    (".norm2.", ".residual.3."),
    (".conv2.", ".residual.6."),
    (".conv_shortcut.", ".shortcut."),
)
_UP: Final = re.compile(r"\.up_blocks\.(\d+)\.(?:resnets\.(\d+)|upsamplers\.0)\.")


def qwen_vae_prefix(names: Container[str]) -> str | None:
    """What stands before its original names in a file; None where it has none."""
    return next((start for start in PREFIXES if start + ORIGINAL_MARK in names), None)


def load_qwen_vae(files: TensorFiles, placement: Placement) -> Any:
    """The VAE in `files`; its width is the file's. Raises ModelUnreadable."""
    from diffusers.models.autoencoders.autoencoder_kl_qwenimage import AutoencoderKLQwenImage

    start, is_original = qwen_vae_prefix(files), True
    if start is None:
        is_original = False
        start = next((each for each in PREFIXES if each + DIFFUSERS_MARK in files), "")
    mark = start + (ORIGINAL_MARK if is_original else DIFFUSERS_MARK)
    first = f"{start}encoder.{'conv1' if is_original else 'conv_in'}.weight"
    if first not in files or mark not in files or len(files.shape(first)) != 5:
        raise ModelUnreadable(
            files.name,
            "it is no VAE of Qwen-Image, which this model needs. Choose qwen_image_vae.safetensors "
            "or leave the VAE to Automatic.",
        )
    config = {**SETTINGS, "base_dim": files.shape(first)[0], "z_dim": files.shape(mark)[1]}
    names = partial(qwen_vae_names if is_original else _same_names, start=start)
    make = partial(AutoencoderKLQwenImage.from_config, config)
    return build(make, names, files, placement)


def qwen_vae_names(keys: Collection[str], start: str = "") -> Mapping[str, str]:
    """What each key of the library's VAE is in an original file, whose names begin with
    `start`."""
    return {key: start + _original(key) for key in keys}


def _same_names(keys: Collection[str], start: str) -> Mapping[str, str]:
    return {key: start + key for key in keys}


def _original(key: str) -> str:
    for ours, theirs in _SIMPLE:
        if key.startswith(ours):
            return theirs + key.removeprefix(ours)
    is_pair = ".resnets." in key or re.search(r"\.down_blocks\.\d+\.(norm|conv)", key)
    for ours, theirs in _PAIR if is_pair else ():
        key = key.replace(ours, theirs)
    key = _UP.sub(_layer, key)
    for ours, theirs in _PARTS:
        key = key.replace(ours, theirs)
    return key


def _layer(found: re.Match[str]) -> str:
    place = LAYERS - 1 if found[2] is None else int(found[2])
    return f".upsamples.{int(found[1]) * LAYERS + place}."
