"""The text of a picture. `create_infotext` is a name of `modules.processing`."""

from __future__ import annotations

from typing import Any

from modules import shared
from webui import __version__
from webui.compat.missing import unprovided
from webui.imaging.infotext import Infotext, join_infotext


def program_version() -> str:
    """What made the picture."""
    return f"Gesso {__version__}"


def create_infotext(
    p: Any,
    all_prompts: Any,
    all_seeds: Any,
    all_subseeds: Any,
    comments: Any = None,
    iteration: int = 0,
    position_in_batch: int = 0,
    use_main_prompt: bool = False,
    index: int | None = None,
    all_negative_prompts: Any = None,
) -> str:
    """The text of one picture: its prompts, then all settings in a line."""
    if index is None:
        index = position_in_batch + iteration * p.batch_size
    if all_negative_prompts is None:
        all_negative_prompts = p.all_negative_prompts
    prompt = p.main_prompt if use_main_prompt else all_prompts[index]
    negative = p.main_negative_prompt if use_main_prompt else all_negative_prompts[index]
    settings = {
        **_core(p, all_seeds, all_subseeds, index),
        **extras_of(p, iteration, position_in_batch, use_main_prompt),
        "Version": program_version() if shared.opts.add_version_to_infotext else None,
        "User": p.user if shared.opts.add_user_name_to_info else None,
    }
    written = {key: str(value) for key, value in settings.items() if value is not None}
    text = Infotext(prompt=prompt or "", negative_prompt=negative or "", settings=written)
    return join_infotext(text)


def _core(p: Any, all_seeds: Any, all_subseeds: Any, index: int) -> dict[str, Any]:
    has_variation = bool(p.subseed_strength)
    resized = None
    if (p.seed_resize_from_w or 0) > 0 and (p.seed_resize_from_h or 0) > 0:
        resized = f"{p.seed_resize_from_w}x{p.seed_resize_from_h}"
    clip_skip = shared.opts.CLIP_stop_at_last_layers
    return {
        "Steps": p.steps,
        "Sampler": p.sampler_name,
        "Schedule type": p.scheduler,
        "CFG scale": p.cfg_scale,
        "Image CFG scale": getattr(p, "image_cfg_scale", None),
        "Seed": p.all_seeds[0] if not all_seeds else all_seeds[index],
        "Size": f"{p.width}x{p.height}",
        "Model hash": p.sd_model_hash or None,
        "Model": p.sd_model_name or None,
        "Variation seed": all_subseeds[index] if has_variation and all_subseeds else None,
        "Variation seed strength": p.subseed_strength if has_variation else None,
        "Seed resize from": resized,
        "Denoising strength": p.denoising_strength if _denoises(p) else None,
        "Clip skip": clip_skip if clip_skip > 1 else None,
    }


def _denoises(p: Any) -> bool:
    return getattr(p, "enable_hr", False) or getattr(p, "init_images", None) is not None


def extras_of(
    p: Any, iteration: int, position_in_batch: int, use_main_prompt: bool = False
) -> dict[str, Any]:
    """What scripts want to stand in the text of one picture. Not a name of A1111's."""
    index = position_in_batch + iteration * p.batch_size
    known = {
        "p": p,
        "index": index,
        "iteration": iteration,
        "position_in_batch": position_in_batch,
        "use_main_prompt": use_main_prompt,
        "all_prompts": p.all_prompts,
        "all_seeds": p.all_seeds,
        "all_subseeds": p.all_subseeds,
    }
    extras: dict[str, Any] = {}
    for key, value in list((p.extra_generation_params or {}).items()):
        if callable(value):
            value = value(**known)
        elif isinstance(value, list):
            value = value[index] if index < len(value) else None
        if value is not None:
            extras[key] = value
    return extras


__getattr__ = unprovided(__name__)
