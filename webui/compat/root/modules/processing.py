"""A job as scripts know it: its many fields, and `process_images`."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from PIL import Image

from modules import (
    devices,
    errors,
    images,
    paths_internal,
    script_callbacks,
    scripts,
    shared,
    styles,
)
from modules.gesso_colors import (
    apply_color_correction,
    apply_overlay,
    create_binary_mask,
    setup_color_correction,
    txt2img_image_conditioning,
    uncrop,
)
from modules.gesso_infotext import create_infotext, program_version
from modules.gesso_job import (
    StableDiffusionProcessing,
    StableDiffusionProcessingImg2Img,
    StableDiffusionProcessingTxt2Img,
)
from modules.gesso_processed import Processed
from modules.shared import opts, state
from webui.compat.missing import unprovided

__all__ = [
    "Processed",
    "StableDiffusionProcessing",
    "StableDiffusionProcessingImg2Img",
    "StableDiffusionProcessingTxt2Img",
    "apply_color_correction",
    "apply_overlay",
    "create_binary_mask",
    "create_infotext",
    "devices",
    "errors",
    "images",
    "opts",
    "paths_internal",
    "program_version",
    "script_callbacks",
    "scripts",
    "setup_color_correction",
    "shared",
    "state",
    "styles",
    "txt2img_image_conditioning",
    "uncrop",
]

opt_C = 4
opt_f = 8


def get_fixed_seed(seed: Any) -> int:
    """A seed; one is drawn for -1, None and ""."""
    if seed == "" or seed is None:
        seed = -1
    try:
        seed = int(seed)
    except (TypeError, ValueError):
        seed = -1
    return random.SystemRandom().randrange(4294967294) if seed == -1 else seed


def fix_seed(p: Any) -> None:
    """Draw a job's seeds."""
    p.seed = get_fixed_seed(p.seed)
    p.subseed = get_fixed_seed(p.subseed)


def process_images(p: Any) -> Processed:
    """The pictures of a job, made now. Works within a script's `run` and `postprocess`, and in
    the functions of buttons as far as the server lets them."""
    from modules import gesso_making

    return gesso_making.process_images(p)


def process_images_inner(p: Any) -> Processed:
    """As `process_images`, when the job's own options are set."""
    from modules import gesso_making

    return gesso_making.process_inner(p)


def decode_latent_batch(
    model: Any, batch: Any, target_device: Any = None, check_for_nans: bool = False
) -> list[Any]:
    """The pictures (3, H, W), -1..1, of latents."""
    from modules import sd_samplers_common

    made = list(sd_samplers_common.decode_first_stage(model, batch))
    return made if target_device is None else [each.to(target_device) for each in made]


def images_tensor_to_samples(image: Any, approximation: Any = None, model: Any = None) -> Any:
    """The latents of pictures (B, 3, H, W), 0..1."""
    from modules import sd_samplers_common

    return sd_samplers_common.images_tensor_to_samples(image, approximation, model)


def create_random_tensors(
    shape: Any,
    seeds: Any,
    subseeds: Any = None,
    subseed_strength: float = 0.0,
    seed_resize_from_h: int = 0,
    seed_resize_from_w: int = 0,
    p: Any = None,
) -> Any:
    """Noise of these seeds, (B, *shape)."""
    import torch

    drawn = [
        torch.randn(tuple(shape), generator=torch.Generator("cpu").manual_seed(int(seed)))
        for seed in seeds
    ]
    return torch.stack(drawn).to(devices.get_optimal_device())


def slerp(val: Any, low: Any, high: Any) -> Any:
    """Between two noises along the sphere."""
    import torch

    low_norm = low / torch.norm(low, dim=1, keepdim=True)
    high_norm = high / torch.norm(high, dim=1, keepdim=True)
    dot = (low_norm * high_norm).sum(1)
    if dot.mean() > 0.9995:
        return low * val + high * (1 - val)
    omega = torch.acos(dot)
    sine = torch.sin(omega)
    first = (torch.sin((1.0 - val) * omega) / sine).unsqueeze(1) * low
    return first + (torch.sin(val * omega) / sine).unsqueeze(1) * high


def decode_first_stage(model: Any, x: Any) -> Any:
    """Decoding is the engine's."""
    return model.decode_first_stage(x)


def get_correct_sampler(p: Any) -> Any:
    """The samplers of a job's tab, as older versions told."""
    from modules import sd_samplers

    is_img2img = isinstance(p, StableDiffusionProcessingImg2Img)
    return sd_samplers.samplers_for_img2img if is_img2img else sd_samplers.samplers


def get_sampler_index(name: str) -> int:
    """A sampler's place in the list."""
    from modules import sd_samplers

    names = [each.name for each in sd_samplers.all_samplers]
    return names.index(name) if name in names else 0


def as_array(image: Any) -> Any:
    """A picture's pixels, uint8 (H, W, 3)."""
    return np.asarray(image.convert("RGB") if isinstance(image, Image.Image) else image)


_ABSENT = {
    "StableDiffusionProcessingBase": "Use StableDiffusionProcessing.",
}
_refuse = unprovided(__name__)


def __getattr__(name: str) -> Any:
    if name in ("extra_networks", "sd_models", "sd_samplers", "sd_vae", "masking", "rng"):
        import importlib

        return importlib.import_module(f"modules.{name}")
    if name in _ABSENT:
        try:
            return _refuse(name)
        except AttributeError as error:
            raise AttributeError(f"{error}. {_ABSENT[name]}", name=name) from None
    return _refuse(name)
