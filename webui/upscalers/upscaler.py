"""What an upscaler is, and the table of those that need no file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from PIL import Image

import webui.upscalers
from webui.core.registry import Registry, discover


@dataclass(frozen=True, kw_only=True)
class Upscaler:
    """One row in upscalers/. `label` is A1111's name.

    It resamples pixels with `filter` or `enlarge`, or latents with torch's `interpolation`;
    latents are enlarged in the second pass of a hires fix only.
    """

    id: str
    label: str
    filter: Image.Resampling | None = None
    interpolation: str | None = None
    is_smoothed: bool = False
    """With `interpolation`: antialiased."""
    enlarge: Callable[[Image.Image, tuple[int, int]], Image.Image] | None = None
    """Extensions' way: the picture in a size (width, height), or in one near it."""

    @property
    def is_latent(self) -> bool:
        """Whether it works on latents, not on pictures."""
        return self.interpolation is not None


class Upscalers(Registry[Upscaler]):
    """The upscalers that need no file, by id."""

    def find(self, name: str) -> str | None:
        """The id of the upscaler with this id or label, in any case; None if there is none."""
        wanted = name.strip().lower()
        for upscaler in self:
            if wanted in (upscaler.id, upscaler.label.lower()):
                return upscaler.id
        return None


def load_upscalers() -> Upscalers:
    """The upscalers that lie in this folder."""
    return Upscalers(cast("list[Upscaler]", discover(webui.upscalers, "UPSCALER")))
