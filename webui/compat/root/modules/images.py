"""Pictures: resized, put into grids, saved, read."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin

from modules import errors, script_callbacks, shared
from modules.gesso_grids import (
    Grid,
    GridAnnotation,
    combine_grid,
    draw_grid_annotations,
    draw_prompt_matrix,
    get_font,
    split_grid,
)
from modules.gesso_names import (
    FilenameGenerator,
    get_next_sequence_number,
    invalid_filename_chars,
    max_filename_part_length,
    sanitize_filename_part,
)
from webui.compat.missing import unprovided

__all__ = [
    "FilenameGenerator",
    "Grid",
    "GridAnnotation",
    "combine_grid",
    "draw_grid_annotations",
    "draw_prompt_matrix",
    "get_font",
    "get_next_sequence_number",
    "invalid_filename_chars",
    "max_filename_part_length",
    "sanitize_filename_part",
    "split_grid",
]

LANCZOS = Image.Resampling.LANCZOS
NEAREST = Image.Resampling.NEAREST
_USER_COMMENT = 0x9286
_EXIF_IFD = 0x8769
_UNICODE = b"UNICODE\x00"


def get_grid_size(imgs: Any, batch_size: int = 1, rows: int | None = None) -> tuple[int, int]:
    """Rows and columns for so many pictures, about as many of the one as of the other."""
    count = len(imgs)
    if rows is None:
        wanted = shared.opts.n_rows
        if wanted > 0:
            rows = wanted
        elif wanted == 0:
            rows = batch_size
        elif shared.opts.grid_prevent_empty_spots:
            rows = math.floor(math.sqrt(count))
            while count % rows:
                rows -= 1
        else:
            rows = round(math.sqrt(count))
    rows = max(1, min(int(rows), count))
    return rows, math.ceil(count / rows)


def image_grid(imgs: Any, batch_size: int = 1, rows: int | None = None) -> Any:
    """All pictures in one, as large as the first each."""
    rows, cols = get_grid_size(imgs, batch_size, rows)
    params = script_callbacks.ImageGridLoopParams(imgs, cols, rows)
    script_callbacks.image_grid_callback(params)
    width = max(image.width for image in params.imgs)
    height = max(image.height for image in params.imgs)
    size = (params.cols * width, params.rows * height)
    grid = Image.new("RGB", size, shared.opts.grid_background_color)
    for i, image in enumerate(params.imgs):
        place = (
            i % params.cols * width + (width - image.width) // 2,
            i // params.cols * height + (height - image.height) // 2,
        )
        grid.paste(image, box=place)
    return grid


def resize_image(
    resize_mode: int,
    im: Any,
    width: int,
    height: int,
    upscaler_name: str | None = None,
    force_RGBA: bool = False,
) -> Any:
    """0: stretched. 1: what sticks out is cut off. 2: fitted in, sides filled from its edges."""
    width, height = int(width), int(height)
    if resize_mode == 1:
        return _cropped(im, width, height, upscaler_name)
    if resize_mode == 2:
        return _filled(im, width, height, upscaler_name, "RGBA" if force_RGBA else "RGB")
    return _stretched(im, width, height, upscaler_name)


def _stretched(im: Any, width: int, height: int, upscaler_name: str | None) -> Any:
    if upscaler_name in (None, "None") or im.mode == "L":
        return im.resize((width, height), resample=LANCZOS)
    scale = max(width / im.width, height / im.height)
    if scale > 1.0:
        found = [each for each in shared.sd_upscalers if each.name == upscaler_name]
        if found:
            im = found[0].scaler.upscale(im, scale, found[0].data_path)
        else:
            errors.report(f"There is no upscaler {upscaler_name}; Lanczos is used")
    return im if im.size == (width, height) else im.resize((width, height), resample=LANCZOS)


def _cropped(im: Any, width: int, height: int, upscaler_name: str | None) -> Any:
    ratio = max(width / im.width, height / im.height)
    wide, high = max(width, round(im.width * ratio)), max(height, round(im.height * ratio))
    larger = _stretched(im, wide, high, upscaler_name)
    left, top = (wide - width) // 2, (high - height) // 2
    return larger.crop((left, top, left + width, top + height))


def _filled(im: Any, width: int, height: int, upscaler_name: str | None, mode: str) -> Any:
    ratio = min(width / im.width, height / im.height)
    wide, high = min(width, round(im.width * ratio)), min(height, round(im.height * ratio))
    inner = _stretched(im, max(1, wide), max(1, high), upscaler_name).convert(mode)
    left, top = (width - inner.width) // 2, (height - inner.height) // 2
    sides = ((top, height - inner.height - top), (left, width - inner.width - left), (0, 0))
    return Image.fromarray(np.pad(np.asarray(inner), sides, mode="edge"))


def flatten(img: Any, bgcolor: Any) -> Any:
    """A picture without transparency, over a colour. RGB."""
    if img.mode == "RGBA":
        background = Image.new("RGBA", img.size, bgcolor)
        background.paste(img, mask=img)
        img = background
    return img.convert("RGB")


def fix_image(image: Any) -> Any:
    """A picture turned as its camera said, in 8 bits."""
    if image is None:
        return None
    try:
        image = ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - whatever a broken EXIF raises, the picture stays
        return image
    return image


def fix_png_transparency(image: Any) -> Any:
    """A palette's transparency as a channel."""
    if image.mode in ("P", "RGB") and isinstance(image.info.get("transparency"), bytes):
        return image.convert("RGBA")
    return image


def read(fp: Any, **kwargs: Any) -> Any:
    """A picture of a file."""
    return fix_image(Image.open(fp, **kwargs))


def save_image_with_geninfo(
    image: Any,
    geninfo: str | None,
    filename: str,
    extension: str | None = None,
    existing_pnginfo: Any = None,
    pnginfo_section_name: str = "parameters",
) -> None:
    """Write a file, with the text of how the picture was made where its format has room."""
    extension = (extension or os.path.splitext(filename)[1]).lower()
    texts = dict(existing_pnginfo or {})
    if geninfo is not None:
        texts[pnginfo_section_name] = geninfo
    if extension == ".png":
        chunks = PngImagePlugin.PngInfo()
        for key, value in texts.items():
            chunks.add_text(str(key), str(value))
        with_text = chunks if shared.opts.enable_pnginfo else None
        image.save(filename, format="PNG", pnginfo=with_text)
        return
    kinds = {".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".avif": "AVIF", ".gif": "GIF"}
    if extension in (".jpg", ".jpeg") and image.mode not in ("RGB", "L"):
        image = image.convert("RGB")
    exif = Image.Exif()
    if geninfo and shared.opts.enable_pnginfo:
        words = _UNICODE + geninfo.encode("utf-16-be")
        exif.get_ifd(_EXIF_IFD)[_USER_COMMENT] = words
    more = {"exif": exif} if extension != ".gif" else {"comment": geninfo or ""}
    image.save(filename, format=kinds.get(extension), quality=shared.opts.jpeg_quality, **more)


def save_image(
    image: Any,
    path: Any,
    basename: str,
    seed: Any = None,
    prompt: Any = None,
    extension: str = "png",
    info: str | None = None,
    short_filename: bool = False,
    no_prompt: bool = False,
    grid: bool = False,
    pnginfo_section_name: str = "parameters",
    p: Any = None,
    existing_info: dict[str, Any] | None = None,
    forced_filename: str | None = None,
    suffix: str = "",
    save_to_dirs: bool | None = None,
) -> tuple[str, str | None]:
    """Write a picture into a folder, under a name made from a pattern; gives the file's path, and
    that of the text beside it if there is one."""
    names = FilenameGenerator(p, seed, prompt, image, basename=basename)
    folder = _folder(path, names, grid, no_prompt, save_to_dirs)
    stem = forced_filename or names.stem(folder, basename, suffix, is_short=short_filename)
    texts = {**(existing_info or {})}
    if info is not None:
        texts[pnginfo_section_name] = info
    fullfn = os.path.join(folder, f"{stem}.{extension.lstrip('.')}")
    params = script_callbacks.ImageSaveParams(image, p, fullfn, texts)
    script_callbacks.before_image_saved_callback(params)
    text = _write(params, pnginfo_section_name)
    image.already_saved_as = params.filename
    script_callbacks.image_saved_callback(params)
    if not (shared.opts.save_txt and text is not None):
        return params.filename, None
    beside = os.path.splitext(params.filename)[0] + ".txt"
    with open(beside, "w", encoding="utf8") as file:
        file.write(text + "\n")
    return params.filename, beside


def _folder(path: Any, names: Any, grid: bool, no_prompt: bool, save_to_dirs: bool | None) -> str:
    """Where a picture is put; the folder is there."""
    by_pattern = save_to_dirs
    if by_pattern is None:
        by_pattern = shared.opts.grid_save_to_dirs if grid else shared.opts.save_to_dirs
    folder = os.fspath(path) if path else shared.opts.outdir_samples or "."
    if by_pattern and not no_prompt:
        folder = os.path.join(folder, names.apply(shared.opts.directories_filename_pattern))
    os.makedirs(folder, exist_ok=True)
    return folder


def _write(params: Any, section: str) -> str | None:
    """The file, whole or not at all; gives the text that went into it."""
    text = params.pnginfo.pop(section, None)
    temporary, kind = params.filename + ".tmp", os.path.splitext(params.filename)[1]
    save_image_with_geninfo(params.image, text, temporary, kind, params.pnginfo, section)
    os.replace(temporary, params.filename)
    return text


IGNORED_INFO_KEYS = {
    "jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "exif", "loop", "background",
    "timestamp", "duration", "progressive", "progression", "icc_profile", "chromaticity",
    "photoshop",
}  # fmt: skip


def read_info_from_image(image: Any) -> tuple[str | None, dict[str, Any]]:
    """The text of how a picture was made, and what else its file says."""
    items = dict(getattr(image, "info", {}) or {})
    geninfo = items.pop("parameters", None)
    if "exif" in items:
        comment = image.getexif().get_ifd(_EXIF_IFD).get(_USER_COMMENT)
        words = _comment(comment)
        if words:
            geninfo = geninfo or words
            items["exif comment"] = words
    elif "comment" in items:
        comment = items["comment"]
        geninfo = geninfo or (
            comment.decode("utf8", "ignore") if isinstance(comment, bytes) else comment
        )
    for key in IGNORED_INFO_KEYS:
        items.pop(key, None)
    return geninfo, items


def _comment(comment: Any) -> str:
    if isinstance(comment, str):
        return comment
    if not isinstance(comment, bytes):
        return ""
    if comment.startswith(_UNICODE):
        rest = comment[len(_UNICODE) :]
        is_little = len(rest) > 1 and rest[1] == 0
        return rest.decode("utf-16-le" if is_little else "utf-16-be", "ignore")
    return comment[8:].decode("utf8", "ignore")


def image_data(data: bytes) -> tuple[str, None] | tuple[str, dict[str, Any]]:
    """The text of how a picture was made, from its bytes; the words of a text file themselves."""
    import io

    import gradio as gr

    try:
        words, _ = read_info_from_image(Image.open(io.BytesIO(data)))
        return words or "", None
    except (OSError, ValueError):
        pass
    try:
        return data.decode("utf8"), None
    except UnicodeDecodeError:
        return gr.update(), None


__getattr__ = unprovided(__name__)
