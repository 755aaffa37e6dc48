"""A rough look at latents without the VAE."""

from __future__ import annotations

from typing import Any

from modules.gesso import side
from webui.compat.missing import unprovided


def cheap_approximation(sample: Any) -> Any:
    """Red, green and blue (3, h, w), about 0..1, of a latent (C, h, w): the engine's own preview.
    Raises RuntimeError outside of jobs."""
    if side.engine is None:
        raise RuntimeError("Latents can be shown within jobs only, where the engine's VAE is.")
    return side.engine.rough(sample)


def model() -> Any:
    """There is no network for it here; use `cheap_approximation`."""
    return None


__getattr__ = unprovided(__name__)
