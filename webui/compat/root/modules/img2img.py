"""What the button of img2img does, for scripts that press it by themselves. Works within jobs."""

from __future__ import annotations

import os
from typing import Any

from modules import gesso_buttons, images, processing, scripts, shared
from modules.util import walk_files
from webui.compat.missing import unprovided

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".avif")


def process_batch(
    p: Any,
    input: Any,
    output_dir: str,
    inpaint_mask_dir: str | None = None,
    args: Any = (),
    to_scale: bool = False,
    scale_by: float = 1.0,
    use_png_info: bool = False,
    png_info_props: Any = None,
    png_info_dir: str | None = None,
) -> Any:
    """Make the job once for each picture of a folder or list; saved in `output_dir`."""
    paths = list(input) if isinstance(input, list | tuple) else _in_folder(str(input))
    masks = _in_folder(inpaint_mask_dir) if inpaint_mask_dir else []
    shared.state.job_count = len(paths) * p.n_iter
    processed = None
    for number, path in enumerate(paths):
        if shared.state.interrupted or shared.state.stopping_generation:
            break
        image = images.read(path) if hasattr(images, "read") else _opened(path)
        if to_scale:
            p.width, p.height = int(image.width * scale_by), int(image.height * scale_by)
        p.init_images = [image] * p.batch_size
        if masks:
            p.image_mask = _opened(masks[min(number, len(masks) - 1)])
        runner = scripts.scripts_img2img
        processed = runner.run(p, *args) if runner is not None and args else None
        processed = processed or processing.process_images(p)
        _saved(processed, output_dir, path)
    return processed


def _in_folder(folder: str) -> list[str]:
    return list(walk_files(folder, PICTURES))


def _opened(path: Any) -> Any:
    from PIL import Image, ImageOps

    with Image.open(getattr(path, "name", path)) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def _saved(processed: Any, output_dir: str, path: Any) -> None:
    if not output_dir:
        return
    os.makedirs(output_dir, exist_ok=True)
    stem = os.path.splitext(os.path.basename(str(getattr(path, "name", path))))[0]
    for number, image in enumerate(processed.images[processed.index_of_first_image :]):
        name = stem if not number else f"{stem}-{number}"
        image.save(os.path.join(output_dir, f"{name}.png"))


FIELDS = (
    *("mode", "prompt", "negative_prompt", "styles", "init_img", "sketch", "init_img_with_mask"),
    *("inpaint_color_sketch", "inpaint_color_sketch_orig", "init_img_inpaint"),
    *("init_mask_inpaint", "mask_blur", "mask_alpha", "inpainting_fill", "n_iter", "batch_size"),
    *("cfg_scale", "image_cfg_scale", "denoising_strength", "selected_scale_tab", "height"),
    *("width", "scale_by", "resize_mode", "inpaint_full_res", "inpaint_full_res_padding"),
    *("inpainting_mask_invert", "img2img_batch_input_dir", "img2img_batch_output_dir"),
    *("img2img_batch_inpaint_mask_dir", "override_settings"),
)
"""What A1111's button gives, in its order; values of scripts follow. Not a name of A1111's."""
OF_JOB = (
    *("prompt", "negative_prompt", "styles", "mask_blur", "inpainting_fill", "n_iter"),
    *("batch_size", "cfg_scale", "image_cfg_scale", "denoising_strength", "height", "width"),
    *("resize_mode", "inpaint_full_res", "inpaint_full_res_padding", "inpainting_mask_invert"),
)
PICTURES_OF = ("init_img", "sketch", "init_img_with_mask", "init_img_inpaint")


def img2img(id_task: str, request: Any, *args: Any) -> Any:
    """Pictures, their texts, and words about them, of the button's values (FIELDS, and those of
    scripts)."""
    given = dict(zip(FIELDS, args, strict=False))
    pictures = tuple(given.get(name) for name in PICTURES_OF)
    image, mask = _source(int(given.get("mode") or 0), pictures, given.get("init_mask_inpaint"))
    values = {name: given[name] for name in OF_JOB if name in given}
    if given.get("selected_scale_tab") == 1 and image is not None:
        scale = float(given["scale_by"])
        values |= {"width": int(image.width * scale), "height": int(image.height * scale)}
    p = processing.StableDiffusionProcessingImg2Img(
        sd_model=shared.sd_model,
        outpath_samples=shared.opts.outdir_samples or shared.opts.outdir_img2img_samples,
        outpath_grids=shared.opts.outdir_grids or shared.opts.outdir_img2img_grids,
        init_images=[image],
        mask=mask,
        override_settings=gesso_buttons.overrides(given.get("override_settings")),
        **values,
    )
    p.scripts, p.script_args = scripts.scripts_img2img, args[len(FIELDS) :]
    return gesso_buttons.pressed(p, scripts.scripts_img2img)


img2img_function = img2img


def _source(mode: int, pictures: tuple[Any, ...], mask: Any) -> tuple[Any, Any]:
    """The picture and mask that a mode of A1111's tab uses."""
    plain, sketch, drawn, uploaded = pictures
    if mode == 1:
        return sketch, None
    if mode == 2 and isinstance(drawn, dict):
        return drawn["image"], drawn["mask"]
    if mode in (2, 3):
        return drawn, mask
    return (uploaded, mask) if mode == 4 else (plain, None)


__getattr__ = unprovided(__name__)
