"""Configurations of old checkpoints. The engine tells models by their tensors and needs none; the
names are there for scripts that compare them."""

from __future__ import annotations

import os
from typing import Any

from modules.paths_internal import sd_configs_path
from webui.compat.missing import unprovided


def _config(name: str) -> str:
    return os.path.join(sd_configs_path, name)


config_default = _config("v1-inference.yaml")
config_sd2 = _config("v2-inference.yaml")
config_sd2v = _config("v2-inference-v.yaml")
config_sd2_inpainting = _config("v2-inpainting-inference.yaml")
config_sdxl = _config("sd_xl_base.yaml")
config_sdxl_refiner = _config("sd_xl_refiner.yaml")
config_sdxl_inpainting = _config("sd_xl_inpaint.yaml")
config_sd3 = _config("sd3-inference.yaml")
config_depth_model = _config("v2-midas-inference.yaml")
config_unclip = _config("v2-1-stable-unclip-l-inference.yaml")
config_unopenclip = _config("v2-1-stable-unclip-h-inference.yaml")
config_inpainting = _config("v1-inpainting-inference.yaml")
config_instruct_pix2pix = _config("instruct-pix2pix.yaml")
config_alt_diffusion = _config("alt-diffusion-inference.yaml")
config_alt_diffusion_m18 = _config("alt-diffusion-m18-inference.yaml")

_BY_FAMILY = {
    "sd15": config_default,
    "sd20": config_sd2,
    "sd21": config_sd2v,
    "sd2": config_sd2,
    "sdxl": config_sdxl,
    "sdxl_refiner": config_sdxl_refiner,
    "sd3": config_sd3,
}


def find_checkpoint_config(state_dict: Any, info: Any) -> str:
    """The configuration of a checkpoint's family."""
    family = getattr(getattr(info, "info", None), "family", "")
    return _BY_FAMILY.get(family, config_default)


find_checkpoint_config_near_filename = find_checkpoint_config

__getattr__ = unprovided(__name__)
