"""What the button of txt2img does, for scripts that press it by themselves. Works within jobs."""

from __future__ import annotations

from typing import Any

from modules import gesso_buttons, processing, scripts, shared
from webui.compat.missing import unprovided


def txt2img_create_processing(
    id_task: str,
    request: Any,
    prompt: str,
    negative_prompt: str,
    prompt_styles: Any,
    n_iter: int,
    batch_size: int,
    cfg_scale: float,
    height: int,
    width: int,
    enable_hr: bool,
    denoising_strength: float,
    hr_scale: float,
    hr_upscaler: str,
    hr_second_pass_steps: int,
    hr_resize_x: int,
    hr_resize_y: int,
    hr_checkpoint_name: str,
    hr_sampler_name: str,
    hr_scheduler: str,
    hr_prompt: str,
    hr_negative_prompt: str,
    override_settings_texts: Any,
    *args: Any,
    force_enable_hr: bool = False,
) -> Any:
    """The job of these values, in the order of A1111's button."""
    p = processing.StableDiffusionProcessingTxt2Img(
        sd_model=shared.sd_model,
        outpath_samples=shared.opts.outdir_samples or shared.opts.outdir_txt2img_samples,
        outpath_grids=shared.opts.outdir_grids or shared.opts.outdir_txt2img_grids,
        prompt=prompt,
        styles=prompt_styles,
        negative_prompt=negative_prompt,
        batch_size=batch_size,
        n_iter=n_iter,
        cfg_scale=cfg_scale,
        width=width,
        height=height,
        enable_hr=force_enable_hr or enable_hr,
        denoising_strength=denoising_strength,
        hr_scale=hr_scale,
        hr_upscaler=hr_upscaler,
        hr_second_pass_steps=hr_second_pass_steps,
        hr_resize_x=hr_resize_x,
        hr_resize_y=hr_resize_y,
        hr_checkpoint_name=_unless_same(hr_checkpoint_name),
        hr_sampler_name=_unless_same(hr_sampler_name),
        hr_scheduler=_unless_same(hr_scheduler),
        hr_prompt=hr_prompt,
        hr_negative_prompt=hr_negative_prompt,
        override_settings=gesso_buttons.overrides(override_settings_texts),
    )
    p.scripts, p.script_args = scripts.scripts_txt2img, args
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
