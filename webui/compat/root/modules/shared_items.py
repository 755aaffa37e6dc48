"""Choices of the options' components."""

from __future__ import annotations

from typing import Any

from webui.compat.missing import unprovided


def sd_vae_items() -> list[str]:
    """Names of VAE files, with the two words that mean none of them."""
    from modules import sd_vae

    return ["Automatic", "None", *list(sd_vae.vae_dict)]


def refresh_vae_list() -> None:
    """Look through the folders again."""
    from modules import sd_vae

    sd_vae.refresh_vae_list()


def list_samplers() -> list[Any]:
    """All samplers."""
    from modules import sd_samplers

    return list(sd_samplers.all_samplers)


def list_crossattention() -> list[str]:
    """The engine chooses the quickest itself."""
    return ["Automatic"]


def sd_unet_items() -> list[str]:
    """The model's own, always."""
    return ["Automatic", "None"]


def realesrgan_models_names() -> list[str]:
    """Upscalers are files in the folder of models."""
    return []


__getattr__ = unprovided(__name__)
