"""A1111's ways to enlarge latents as they are, without a picture in between."""

from __future__ import annotations

from typing import Final

from webui.upscalers.upscaler import Upscaler

UPSCALER: Final = (
    Upscaler(id="latent", label="Latent", interpolation="bilinear"),
    Upscaler(
        id="latent_antialiased",
        label="Latent (antialiased)",
        interpolation="bilinear",
        is_smoothed=True,
    ),
    Upscaler(id="latent_bicubic", label="Latent (bicubic)", interpolation="bicubic"),
    Upscaler(
        id="latent_bicubic_antialiased",
        label="Latent (bicubic antialiased)",
        interpolation="bicubic",
        is_smoothed=True,
    ),
    Upscaler(id="latent_nearest", label="Latent (nearest)", interpolation="nearest"),
    Upscaler(
        id="latent_nearest_exact", label="Latent (nearest-exact)", interpolation="nearest-exact"
    ),
)
