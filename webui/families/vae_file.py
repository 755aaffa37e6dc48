"""Loads a VAE that is a file of its own, in the original layout or in diffusers'.

torch and diffusers are imported inside the functions.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from webui.core.errors import ModelUnreadable
from webui.families import ldm_layout
from webui.families.components import Placement
from webui.families.qwen_vae import qwen_vae_prefix
from webui.families.vae_kinds import is_plain, load_other_vae, make_vae, original_vae_names
from webui.families.weights import TensorFiles, build, folder_files

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

WIDTH: Final = re.compile(r"encoder\.(?:down\.(\d+)\.block|down_blocks\.(\d+)\.resnets)\.(\d+)\.")
"""A layer of the encoder in either layout: its block, and which layer of it."""
DECODING: Final = re.compile(
    r"decoder\.(?:up\.(\d+)\.block|up_blocks\.(\d+)\.resnets)\.0\.conv2\.weight"
)
"""The first layer of each block of the decoder; its second name counts from the latents."""
PREFIXES: Final = (ldm_layout.VAE, "vae.", "")
HALVES: Final = ("", "encoder.", "decoder.")
"""Where files keep the layers around the latents."""
LEAN: Final = "decoder_block_out_channels"
FIRST_DECODING: Final = "decoder.conv_in.weight"
ORIGINAL_MARK: Final = "decoder.mid.block_1.norm1.weight"
OLD_NAMES: Final = (
    (".to_q.", ".query."),
    (".to_k.", ".key."),
    (".to_v.", ".value."),
    (".to_out.0.", ".proj_attn."),
)
"""Attention in files saved by diffusers before 0.15; Stable Diffusion 1.5's folder is one."""


def load_vae(path: Path, like: Mapping[str, Any], placement: Placement) -> AutoencoderKL:
    """The VAE in a file or a diffusers folder, for a model whose own VAE has the configuration
    `like`. Raises ModelUnreadable."""
    found = [path] if path.is_file() else folder_files(path.name, path)
    with TensorFiles(path.name, found) as files:
        return vae_in(files, like, placement)


def vae_in(files: TensorFiles, like: Mapping[str, Any], placement: Placement) -> AutoencoderKL:
    """The VAE among the tensors of a file, a whole checkpoint's too. Raises ModelUnreadable.

    Widths and depth are the file's; what no file says is that of `like`, the scale of the latents
    before all.
    """
    if not is_plain(like):
        other: AutoencoderKL = load_other_vae(files, like, placement.for_vae)
        return other
    blocks, layers = _blocks(files)
    kinds = {"down": "DownEncoderBlock2D", "up": "UpDecoderBlock2D"}
    config = {
        **like,
        **_convolutions(files, like),
        "block_out_channels": blocks,
        "layers_per_block": layers,
        **{f"{way}_block_types": [kind] * len(blocks) for way, kind in kinds.items()},
        **_lean_decoder(files, blocks),
    }
    made: AutoencoderKL = build(
        partial(make_vae, config), partial(_names, files), files, placement.for_vae
    )
    return made


def vae_prefix(names: Container[str]) -> str | None:
    """What stands before the names of the VAE in a checkpoint; None where it has none."""
    found = next((prefix for prefix in PREFIXES if prefix + FIRST_DECODING in names), None)
    return qwen_vae_prefix(names) if found is None else found


def folder_names(files: TensorFiles, keys: Iterable[str]) -> dict[str, str]:
    """What diffusers' names are in a file of its layout, old or new."""
    return {key: key if key in files else _old_name(key) for key in keys}


def _blocks(files: TensorFiles) -> tuple[list[int], int]:
    """How wide each block is, and of how many layers."""
    widths: dict[int, int] = {}
    depth = 0
    for key in files:
        if (match := WIDTH.search(key)) and key.endswith("conv2.weight"):
            widths[int(match[1] or match[2])] = files.shape(key)[0]
            depth = max(depth, int(match[3]) + 1)
    if not widths or sorted(widths) != list(range(len(widths))):
        raise ModelUnreadable(
            files.name, "it is no VAE that this version knows. Look for another version."
        )
    return [widths[block] for block in sorted(widths)], depth


def _lean_decoder(files: TensorFiles, blocks: list[int]) -> Mapping[str, Any]:
    """What a decoder says that is less wide than its encoder: that of
    huggingface.co/black-forest-labs/FLUX.2-small-decoder, by diffusers' AutoencoderKLFlux2."""
    found = [(match, files.shape(key)[0]) for key in files if (match := DECODING.search(key))]
    widths = {
        int(match[1]) if match[1] else len(blocks) - 1 - int(match[2]): width
        for match, width in found
    }
    lean = [widths[block] for block in sorted(widths)]
    return {} if lean == blocks or len(lean) != len(blocks) else {LEAN: lean}


def _convolutions(files: TensorFiles, like: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the first layer of the decoder and those around the latents say."""
    prefix = vae_prefix(files)
    if prefix is None:
        return {}
    channels, wanted = files.shape(prefix + FIRST_DECODING)[1], like.get("latent_channels")
    if wanted not in (None, channels):
        raise ModelUnreadable(
            files.name,
            f"this VAE reads latents of {channels} channels, the model makes {wanted}: it was made "
            "for another family. Choose another VAE.",
        )
    quants = ("quant_conv", "post_quant_conv")
    return {
        "latent_channels": channels,
        **{
            f"use_{name}": any(f"{prefix}{half}{name}.weight" in files for half in HALVES)
            for name in quants
        },
    }


def _names(files: TensorFiles, keys: Collection[str]) -> dict[str, str]:
    for prefix in PREFIXES:
        if prefix + ORIGINAL_MARK in files:
            return original_vae_names(files, keys, prefix)
    return folder_names(files, keys)


def _old_name(key: str) -> str:
    for new, old in OLD_NAMES:
        key = key.replace(new, old)
    return key
