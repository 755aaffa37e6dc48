"""An infotext as fields of A1111's API: what its field `infotext` fills in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from webui.imaging.infotext import read_infotext

FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Steps": "steps",
        "Sampler": "sampler_name",
        "Schedule type": "scheduler",
        "CFG scale": "cfg_scale",
        "Distilled CFG Scale": "distilled_cfg_scale",
        "Image CFG scale": "image_cfg_scale",
        "Seed": "seed",
        "Variation seed": "subseed",
        "Variation seed strength": "subseed_strength",
        "Denoising strength": "denoising_strength",
        "Eta": "eta",
        "Eta DDIM": "eta",
        "Sigma churn": "s_churn",
        "Sigma tmin": "s_tmin",
        "Sigma tmax": "s_tmax",
        "Sigma noise": "s_noise",
        "NGMS": "s_min_uncond",
        "Hires upscale": "hr_scale",
        "Hires steps": "hr_second_pass_steps",
        "Hires upscaler": "hr_upscaler",
        "Hires checkpoint": "hr_checkpoint_name",
        "Hires sampler": "hr_sampler_name",
        "Hires schedule type": "hr_scheduler",
        "Hires prompt": "hr_prompt",
        "Hires negative prompt": "hr_negative_prompt",
        "Hires CFG Scale": "hr_cfg",
        "Refiner": "refiner_checkpoint",
        "Refiner switch at": "refiner_switch_at",
        "Mask blur": "mask_blur",
        "Masked area padding": "inpaint_full_res_padding",
        "Noise multiplier": "initial_noise_multiplier",
    }
)
SIZES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "Size": ("width", "height"),
        "Seed resize from": ("seed_resize_from_w", "seed_resize_from_h"),
        "Hires resize": ("hr_resize_x", "hr_resize_y"),
    }
)
SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Model hash": "sd_model_checkpoint",
        "VAE": "sd_vae",
        "Clip skip": "CLIP_stop_at_last_layers",
        "ENSD": "eta_noise_seed_delta",
        "RNG": "randn_source",
        "Emphasis": "emphasis",
        "Extra noise": "img2img_extra_noise",
        "Conditional mask weight": "inpainting_mask_weight",
        "Schedule min sigma": "sigma_min",
        "Schedule max sigma": "sigma_max",
        "Schedule rho": "rho",
        "SGM noise multiplier": "sgm_noise_multiplier",
        "Discard penultimate sigma": "always_discard_next_to_last_sigma",
        "Skip Early CFG": "skip_early_cond",
    }
)
FILLS: Final = MappingProxyType({"fill": 0, "original": 1, "latent noise": 2, "latent nothing": 3})
_SIZE: Final = re.compile(r"(\d{1,5})x(\d{1,5})")


def told_by_text(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The API's fields and settings that an infotext gives, as far as it gives them."""
    told = read_infotext(text)
    fields: dict[str, Any] = {"prompt": told.prompt, "negative_prompt": told.negative_prompt}
    settings = told.settings
    fields |= {FIELDS[key]: value for key, value in settings.items() if key in FIELDS}
    for key, (width, height) in SIZES.items():
        if match := _SIZE.fullmatch(settings.get(key, "")):
            fields |= {width: match[1], height: match[2]}
    if any(key in settings for key in ("Hires upscale", "Hires resize", "Hires upscaler")):
        fields["enable_hr"] = True
    if settings.get("Tiling") in ("True", "False"):
        fields["tiling"] = settings["Tiling"] == "True"
    if "Inpaint area" in settings:
        fields["inpaint_full_res"] = settings["Inpaint area"] == "Only masked"
    if settings.get("Masked content") in FILLS:
        fields["inpainting_fill"] = FILLS[settings["Masked content"]]
    if settings.get("Mask mode") == "Inpaint not masked":
        fields["inpainting_mask_invert"] = 1
    return fields, {SETTINGS[key]: value for key, value in settings.items() if key in SETTINGS}
