"""Enlarging as a script for finished pictures, for scripts that import it."""

from __future__ import annotations

from typing import Any

from modules import scripts_postprocessing, shared

from webui.compat.missing import unprovided

upscale_cache: dict[Any, Any] = {}


class ScriptPostprocessingUpscale(scripts_postprocessing.ScriptPostprocessing):
    """Larger by a factor, or to a size; two upscalers blended."""

    name = "Upscale"
    order = 1000

    def ui(self) -> dict[str, Any]:
        """The Extras tab has its own."""
        return {}

    def upscale(
        self,
        image: Any,
        info: dict[str, Any],
        upscaler: Any,
        upscale_mode: int,
        upscale_by: float,
        max_side_length: int = 0,
        upscale_to_width: int = 0,
        upscale_to_height: int = 0,
        upscale_crop: bool = False,
    ) -> Any:
        """A larger picture; what was done goes into `info`."""
        from PIL import Image, ImageOps

        if upscale_mode == 1:
            upscale_by = max(upscale_to_width / image.width, upscale_to_height / image.height)
            info["Postprocess upscale to"] = f"{upscale_to_width}x{upscale_to_height}"
        else:
            info["Postprocess upscale by"] = upscale_by
        if max_side_length:
            upscale_by = min(upscale_by, max_side_length / max(image.size))
        image = upscaler.scaler.upscale(image, upscale_by, upscaler.data_path)
        if upscale_mode == 1 and upscale_crop:
            size = (upscale_to_width, upscale_to_height)
            image = ImageOps.fit(image, size, Image.Resampling.LANCZOS)
            info["Postprocess crop to"] = f"{image.width}x{image.height}"
        return image

    def process(
        self,
        pp: Any,
        upscale_enabled: bool = True,
        upscale_mode: int = 1,
        upscale_by: float = 2.0,
        max_side_length: int = 0,
        upscale_to_width: int | None = None,
        upscale_to_height: int | None = None,
        upscale_crop: bool = False,
        upscaler_1_name: str | None = None,
        upscaler_2_name: str | None = None,
        upscaler_2_visibility: float = 0.0,
    ) -> None:
        """Enlarge a picture."""
        from PIL import Image

        first, second = _named(upscaler_1_name), _named(upscaler_2_name)
        if first is None or not upscale_enabled:
            return
        how = (upscale_mode, upscale_by, max_side_length)
        size = (upscale_to_width or pp.image.width, upscale_to_height or pp.image.height)
        larger = self.upscale(pp.image, pp.info, first, *how, *size, upscale_crop)
        pp.info["Postprocess upscaler"] = first.name
        if second is not None and upscaler_2_visibility > 0:
            other = self.upscale(pp.image, pp.info, second, *how, *size, upscale_crop)
            other = other.convert(larger.mode).resize(larger.size)
            larger = Image.blend(larger, other, upscaler_2_visibility)
            pp.info["Postprocess upscaler 2"] = second.name
        pp.image = larger


class ScriptPostprocessingUpscaleSimple(ScriptPostprocessingUpscale):
    """By a factor, with one upscaler."""

    name = "Simple Upscale"
    order = 900

    def process(self, pp: Any, upscale_by: float = 2.0, upscaler_name: str | None = None) -> None:  # type: ignore[override]
        """Enlarge a picture."""
        chosen = _named(upscaler_name)
        if chosen is not None:
            pp.image = self.upscale(pp.image, pp.info, chosen, 0, upscale_by)
            pp.info["Postprocess upscaler"] = chosen.name


def _named(name: str | None) -> Any:
    if name is None or name == "None":
        return None
    found = next((each for each in shared.sd_upscalers if each.name == name), None)
    if found is None:
        raise ValueError(f"could not find upscaler named {name}")
    return found


__getattr__ = unprovided(__name__)
