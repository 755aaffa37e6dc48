"""Colours and masks of inpainted pictures. Its names are those of `modules.processing`."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageOps

from webui.compat.missing import unprovided
from webui.imaging.colors import corrected
from webui.imaging.lab import from_lab, to_lab


def setup_color_correction(image: Any) -> Any:
    """What `apply_color_correction` needs to know of a picture: its pixels in Lab."""
    return to_lab(image.convert("RGB"))


def apply_color_correction(correction: Any, original_image: Any) -> Any:
    """A picture with the hues of another."""
    told = (from_lab(np.asarray(correction, np.float32)).clip(0, 1) * 255).round()
    source = Image.fromarray(told.astype(np.uint8))
    painted = original_image.convert("RGB")
    return corrected(painted, source.resize(painted.size)).convert(original_image.mode)


def uncrop(image: Any, dest_size: tuple[int, int], paste_loc: Any) -> Any:
    """A part of a picture at its place in a transparent whole: (x, y, width, height)."""
    x, y, width, height = paste_loc
    whole = Image.new("RGBA", dest_size)
    whole.paste(image.resize((width, height), Image.Resampling.LANCZOS), (x, y))
    return whole


def apply_overlay(image: Any, paste_loc: Any, overlay: Any, *_: Any) -> Any:
    """A painted part under what was kept of its source, and the part by itself."""
    if overlay is None:
        return image, image.copy()
    if paste_loc is not None:
        image = uncrop(image, (overlay.width, overlay.height), paste_loc)
    denoised = image.copy()
    under = image.convert("RGBA")
    under.alpha_composite(overlay.convert("RGBA"))
    return under.convert("RGB"), denoised


def create_binary_mask(image: Any, round: bool = True) -> Any:
    """A mask in grey; of a picture with transparency what can be seen."""
    if image.mode == "RGBA" and image.getextrema()[-1] != (255, 255):
        alpha = image.split()[-1].convert("L")
        return alpha.point(lambda value: 255 if value > 128 else 0) if round else alpha
    return image.convert("L")


def invert_mask(mask: Any) -> Any:
    """White for black. Not a name of A1111's."""
    return ImageOps.invert(mask.convert("L"))


def txt2img_image_conditioning(sd_model: Any, x: Any, width: int, height: int) -> Any:
    """Models for inpainting are told of their mask by the engine."""
    return x.new_zeros(x.shape[0], 5, 1, 1, dtype=x.dtype, device=x.device)


__getattr__ = unprovided(__name__)
