"""From our requests to A1111's object of a job."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from webui.compat.asking import FILLS, RESIZE_MODES
from webui.core.engine import Legacy, Work
from webui.core.recipe import Recipe
from webui.core.request import GenerationRequest, InputId, MaskArea, Tiling


@dataclass(frozen=True, kw_only=True)
class Names:
    """A1111's names of our parts by their ids."""

    samplers: Mapping[str, str]
    schedules: Mapping[str, str]
    upscalers: Mapping[str, str]
    checkpoints: Mapping[str, str]


def job_of(work: Work, legacy: Legacy, names: Names) -> Any:
    """The object of the job: blanks filled as the recipe says, prompts as they were typed."""
    processing = importlib.import_module("modules.processing")
    request, recipe = legacy.request, work.recipes[0]
    common = _common(request, recipe, names)
    if request.source is None:
        return processing.StableDiffusionProcessingTxt2Img(**common, **_hires(request, names))
    return processing.StableDiffusionProcessingImg2Img(**common, **_source(request, recipe, work))


def _common(request: GenerationRequest, recipe: Recipe, names: Names) -> dict[str, Any]:
    shared = importlib.import_module("modules.shared")
    models = importlib.import_module("modules.sd_models")
    kind = "txt2img" if request.source is None else "img2img"
    noise, parameters = recipe.noise, recipe.parameters
    return {
        "sd_model": models.model_data.get_sd_model(),
        "outpath_samples": shared.opts.outdir_samples or shared.opts.data[f"outdir_{kind}_samples"],
        "outpath_grids": shared.opts.outdir_grids or shared.opts.data[f"outdir_{kind}_grids"],
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "styles": list(request.styles),
        "seed": recipe.seed,
        "subseed": -1 if noise.variation_seed is None else noise.variation_seed,
        "subseed_strength": noise.variation_strength,
        "seed_resize_from_w": noise.resize_from_width or -1,
        "seed_resize_from_h": noise.resize_from_height or -1,
        "sampler_name": names.samplers.get(recipe.sampler, recipe.sampler),
        "scheduler": names.schedules.get(recipe.schedule, recipe.schedule),
        "batch_size": request.batch_size,
        "n_iter": request.batch_count,
        "steps": recipe.steps,
        "cfg_scale": recipe.guidance_scale,
        "width": recipe.width,
        "height": recipe.height,
        "restore_faces": False,
        "tiling": recipe.tiling is not Tiling.NONE,
        "do_not_save_grid": True,
        "eta": parameters.eta,
        "s_min_uncond": recipe.guidance.skip_below,
        "s_churn": parameters.churn,
        "s_tmin": parameters.churn_from,
        "s_tmax": parameters.churn_to or float("inf"),
        "s_noise": parameters.noise_factor,
        "refiner_checkpoint": recipe.refiner
        and names.checkpoints.get(recipe.refiner.checkpoint, recipe.refiner.checkpoint),
        "refiner_switch_at": recipe.refiner and recipe.refiner.switch_at,
    }


def _hires(request: GenerationRequest, names: Names) -> dict[str, Any]:
    hires = request.hires
    if hires is None:
        return {"enable_hr": False}
    return {
        "enable_hr": True,
        "denoising_strength": hires.denoising_strength,
        "hr_scale": hires.scale,
        "hr_upscaler": names.upscalers.get(hires.upscaler, hires.upscaler),
        "hr_second_pass_steps": hires.steps or 0,
        "hr_resize_x": hires.width or 0,
        "hr_resize_y": hires.height or 0,
        "hr_checkpoint_name": hires.checkpoint
        and names.checkpoints.get(hires.checkpoint, hires.checkpoint),
        "hr_sampler_name": hires.sampler and names.samplers.get(hires.sampler, hires.sampler),
        "hr_scheduler": hires.schedule and names.schedules.get(hires.schedule, hires.schedule),
        "hr_prompt": hires.prompt or "",
        "hr_negative_prompt": hires.negative_prompt or "",
        "hr_cfg": hires.guidance_scale,
    }


def _source(request: GenerationRequest, recipe: Recipe, work: Work) -> dict[str, Any]:
    source, mask = request.source, request.mask
    assert source is not None
    values: dict[str, Any] = {
        "init_images": [_open(work, source.image)],
        "denoising_strength": source.denoising_strength,
        "resize_mode": RESIZE_MODES.index(source.resize_mode),
        "initial_noise_multiplier": source.noise_multiplier,
        "image_cfg_scale": source.image_guidance if recipe.model.family == "ip2p" else None,
    }
    if mask is None:
        return values
    return values | {
        "mask": _open(work, mask.image),
        "mask_blur": mask.blur,
        "inpainting_fill": FILLS.index(mask.content),
        "inpaint_full_res": mask.area is MaskArea.MASKED,
        "inpaint_full_res_padding": mask.padding,
        "inpainting_mask_invert": int(mask.inverted),
    }


def _open(work: Work, id: InputId) -> Image.Image:
    with Image.open(work.inputs[id]) as picture:
        picture.load()
    return picture
