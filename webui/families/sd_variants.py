"""What sets a Stable Diffusion apart from its sisters, in words, and what suits it then.

Told by shapes, marks and the file's own metadata. The words of a model stand in its catalog entry
with spaces between: "inpaint v".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from webui.core.errors import ModelUnreadable
from webui.core.model import Defaults
from webui.families.components import Prediction
from webui.families.schedule_config import said_in
from webui.families.unet_file import Shapes, UNetFile

INPAINT: Final = "inpaint"
EDIT: Final = "edit"
VELOCITY: Final = "v"
ZERO_SNR: Final = "ztsnr"
LCM: Final = "lcm"
TOLD_LCM: Final = "told-lcm"
"""It is told the guidance, beside the time."""

PLAIN_CHANNELS: Final = 4
CHANNELS: Final[Mapping[int, str]] = MappingProxyType(
    {9: INPAINT, 8: EDIT, 5: "depth", 7: "upscaler"}
)
OTHER_INPUTS: Final = "inputs"
MARKS: Final = ((VELOCITY, "v_pred"), (ZERO_SNR, "ztsnr"))
"""Tensors that are in a file only for their names."""
EDM_MARKS: Final = ("edm_mean", "edm_std", "edm_vpred.sigma_max", "edm_vpred.sigma_min")
UNCLIP_START: Final = "noise_augmentor."
VIEWS_MARK: Final = "cc_projection.weight"
"""Of Zero123 (ldm/models/diffusion/ddpm.py of github.com/cvlab-columbia/zero123)."""
PIPELINES: Final = MappingProxyType(
    {
        "StableUnCLIP": "unclip",
        "StableDiffusionLatentUpscale": "latent-upscaler",
        "StableDiffusionLDM3D": "depths-too",
    }
)
"""Words of folders, by what the names of diffusers' pipelines begin with."""

RESOLUTION: Final = "modelspec.resolution"
SQUARE: Final = re.compile(r"(\d{3,4})\s*x\s*\1", re.IGNORECASE)
PIXELS: Final = "px"
"""After the side of the square pictures that a model was trained on."""
TITLES: Final = ("modelspec.title", "modelspec.architecture", "modelspec.tags")
DISTILLED: Final = (
    ("lightning", re.compile(r"lightning", re.IGNORECASE)),
    ("hyper", re.compile(r"\bhyper[-_ ]?sd", re.IGNORECASE)),
    ("dmd2", re.compile(r"\bdmd2\b", re.IGNORECASE)),
    (LCM, re.compile(r"\blcm\b", re.IGNORECASE)),
    ("turbo", re.compile(r"turbo\b", re.IGNORECASE)),
)
"""Which training for few steps a model's maker says it had; the first that fits."""

SUITS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        VELOCITY: {"sampler": "euler", "guidance_scale": 5.0},
        EDIT: {"sampler": "euler_a", "guidance_scale": 7.5},
        "turbo": {"steps": 4, "guidance_scale": 1.0, "sampler": "euler_a", "schedule": "turbo"},
        "lightning": {
            "steps": 8,
            "guidance_scale": 1.0,
            "sampler": "euler",
            "schedule": "sgm_uniform",
        },
        "hyper": {"steps": 8, "guidance_scale": 1.0, "sampler": "euler", "schedule": "sgm_uniform"},
        "dmd2": {"steps": 4, "guidance_scale": 1.0, "sampler": "lcm", "schedule": "sgm_uniform"},
        TOLD_LCM: {
            "steps": 6,
            "guidance_scale": 1.0,
            "distilled_guidance": 8.0,
            "sampler": "lcm",
            "schedule": "sgm_uniform",
        },
        LCM: {"steps": 6, "guidance_scale": 1.5, "sampler": "lcm", "schedule": "sgm_uniform"},
    }
)

REFUSED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "depth": "its UNet also sees how far away things are (5 channels), which this version "
        "can't show it. Choose a plain or an inpainting version.",
        "upscaler": "it is an upscaler that paints (7 channels), which this version can't run. "
        "Choose a plain model and make its pictures larger with hires fix.",
        "unclip": "it paints after pictures instead of words (unCLIP), which this version can't "
        "run. Choose a plain or an inpainting version.",
        "views": "it turns what is in a picture around (Zero123), which this version can't do. "
        "Choose a plain or an inpainting version.",
        "latent-upscaler": "it is a model that only makes latents larger, which this version can't "
        "run. Choose a plain model and make its pictures larger with hires fix.",
        "depths-too": "it makes depths beside the picture (LDM3D), which this version can't do. "
        "Choose a plain or an inpainting version.",
        "edm": "it was trained with other noise levels (EDM), which this version can't run yet. "
        "Choose another version of it.",
        OTHER_INPUTS: "its UNet takes another number of channels than 4, 8 or 9: it is a model for "
        "another task, which this version can't run. Choose a plain or an inpainting version.",
    }
)


def words_of(shapes: Shapes, unet: UNetFile, metadata: Mapping[str, str]) -> tuple[str, ...]:
    """What is special about the model in a file; nothing for a plain one."""
    words = [_input_word(unet.channels)]
    words += [word for word, mark in MARKS if mark in shapes]
    if said_in(metadata) is Prediction.VELOCITY and VELOCITY not in words:
        words.append(VELOCITY)
    if any(mark in shapes for mark in EDM_MARKS):
        words.append("edm")
    if any(key.startswith(UNCLIP_START) for key in shapes):
        words.append("unclip")
    if VIEWS_MARK in shapes:
        words.append("views")
    words.append(_distilled(shapes, unet, metadata))
    if (square := SQUARE.fullmatch(metadata.get(RESOLUTION, "").strip())) is not None:
        words.append(square[1] + PIXELS)
    return tuple(filter(None, words))


def folder_words(
    config: Mapping[str, Any], schedule: Mapping[str, Any], index: Mapping[str, object]
) -> tuple[str, ...]:
    """The same for a diffusers folder, by its UNet's and its schedule's settings."""
    words = [_input_word(int(config.get("in_channels") or PLAIN_CHANNELS))]
    if schedule.get("prediction_type") == "v_prediction":
        words.append(VELOCITY)
    if schedule.get("rescale_betas_zero_snr"):
        words.append(ZERO_SNR)
    pipeline = str(index.get("_class_name"))
    words += [word for start, word in PIPELINES.items() if pipeline.startswith(start)]
    if config.get("time_cond_proj_dim"):
        words.append(TOLD_LCM)
    return tuple(filter(None, words))


def check_words(name: str, words: Iterable[str]) -> None:
    """Raises ModelUnreadable for a model that can't be run; `name` is its name."""
    for word in words:
        if word in REFUSED:
            raise ModelUnreadable(name, REFUSED[word])


def suited(defaults: Defaults, words: Iterable[str]) -> Defaults:
    """A family's defaults with what suits this model better."""
    for word in words:
        if word.endswith(PIXELS):
            side = int(word.removesuffix(PIXELS))
            defaults = replace(defaults, width=side, height=side)
        defaults = replace(defaults, **SUITS.get(word, {}))
    return defaults


def _input_word(channels: int) -> str:
    return "" if channels == PLAIN_CHANNELS else CHANNELS.get(channels, OTHER_INPUTS)


def _distilled(shapes: Shapes, unet: UNetFile, metadata: Mapping[str, str]) -> str:
    if unet.name("time_embedding.cond_proj.weight") in shapes:
        return TOLD_LCM
    said = " ".join(metadata.get(key, "") for key in TITLES)
    return next((word for word, pattern in DISTILLED if pattern.search(said)), "")
