"""Ways to enlarge a picture: one file each, found by scanning this folder."""

from webui.upscalers.upscaler import Upscaler, Upscalers, load_upscalers

__all__ = ["Upscaler", "Upscalers", "load_upscalers"]
