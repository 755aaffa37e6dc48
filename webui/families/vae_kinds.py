"""The VAEs that are not of Stable Diffusion's build, told apart by what their settings name.

torch and diffusers are imported inside the functions.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping
from typing import Any, Final

from webui.families import ldm_layout
from webui.families.components import Placement
from webui.families.deep_vae import IS_DEEP, load_deep_vae
from webui.families.qwen_vae import load_qwen_vae
from webui.families.weights import TensorFiles

HAS_STATISTICS: Final = "batch_norm_eps"
"""A setting of those that know the mean and the spread of their latents, Flux.2's."""
STATISTICS: Final = "bn."
INNER: Final = (("quant_conv.", "encoder."), ("post_quant_conv.", "decoder."))
"""Two layers, and the halves that some files keep them in."""


def is_plain(settings: Mapping[str, Any]) -> bool:
    """Whether a VAE of these settings is of Stable Diffusion's build."""
    return "z_dim" not in settings and IS_DEEP not in settings


def make_vae(settings: Mapping[str, Any]) -> Any:
    """A VAE of plain build, or Flux.2's, without weights."""
    if HAS_STATISTICS not in settings:
        from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

        return AutoencoderKL.from_config(settings)
    from diffusers.models.autoencoders.autoencoder_kl_flux2 import AutoencoderKLFlux2

    made = AutoencoderKLFlux2.from_config(settings)
    made.bn.num_batches_tracked = None  # of its training; not in every file
    return made


def original_vae_names(names: Container[str], keys: Collection[str], prefix: str) -> dict[str, str]:
    """What each key of a VAE of plain build is in a file with original names. Flux.2's have its
    statistics too, and some keep two layers in its halves."""
    odd = {key for key in keys if key.startswith((STATISTICS, *(each for each, _ in INNER)))}
    found = ldm_layout.vae_names([key for key in keys if key not in odd], prefix)
    for key in odd:
        inner = next((half + key for each, half in INNER if key.startswith(each)), key)
        found[key] = prefix + (inner if prefix + inner in names else key)
    return found


def load_other_vae(files: TensorFiles, settings: Mapping[str, Any], placement: Placement) -> Any:
    """The VAE in `files` for a model whose own has these settings, which are not plain. Raises
    ModelUnreadable."""
    if IS_DEEP in settings:
        return load_deep_vae(files, settings, placement)
    return load_qwen_vae(files, placement)
