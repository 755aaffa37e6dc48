"""What the button of txt2img does, for scripts that press it by themselves. Works within jobs."""

from __future__ import annotations

from typing import Any

from modules import gesso_buttons, processing, scripts, shared
from webui.compat.missing import unprovided

FIELDS = (
    *("prompt", "negative_prompt", "styles", "n_iter", "batch_size", "cfg_scale", "height"),
    *("width", "enable_hr", "denoising_strength", "hr_scale", "hr_upscaler"),
    *("hr_second_pass_steps", "hr_resize_x", "hr_resize_y", "hr_checkpoint_name"),
    *("hr_sampler_name", "hr_scheduler", "hr_prompt", "hr_negative_prompt", "override_settings"),
)
"""What A1111's button gives, in its order; values of scripts follow. Not a name of A1111's."""


def txt2img_create_processing(
    id_task: str, request: Any, *args: Any, force_enable_hr: bool = False
) -> Any:
    """The job of the button's values (FIELDS, and those of scripts)."""
    values = dict(zip(FIELDS, args, strict=False))
    for name in ("hr_checkpoint_name", "hr_sampler_name", "hr_scheduler"):
        values[name] = _unless_same(values.get(name))
    values["enable_hr"] = force_enable_hr or bool(values.get("enable_hr"))
    values["override_settings"] = gesso_buttons.overrides(values.get("override_settings"))
    p = processing.StableDiffusionProcessingTxt2Img(
        sd_model=shared.sd_model,
        outpath_samples=shared.opts.outdir_samples or shared.opts.outdir_txt2img_samples,
        outpath_grids=shared.opts.outdir_grids or shared.opts.outdir_txt2img_grids,
        **values,
    )
    p.scripts, p.script_args = scripts.scripts_txt2img, args[len(FIELDS) :]
    return p


def _unless_same(name: str | None) -> str | None:
    return None if str(name).startswith("Use same") else name


def txt2img_function(id_task: str, request: Any, *args: Any, force_enable_hr: bool = False) -> Any:
    """Pictures, their texts, and words about them."""
    p = txt2img_create_processing(id_task, request, *args, force_enable_hr=force_enable_hr)
    return gesso_buttons.pressed(p, scripts.scripts_txt2img)


def txt2img(id_task: str, request: Any, *args: Any) -> Any:
    """As `txt2img_function`."""
    return txt2img_function(id_task, request, *args)


__getattr__ = unprovided(__name__)
