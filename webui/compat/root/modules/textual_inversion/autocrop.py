"""Cropping to what matters in a picture: to its middle here, as no detector is built in."""

from __future__ import annotations

from typing import Any

from webui.compat.missing import unprovided

GREEN = "#0F0"
BLUE = "#00F"
RED = "#F00"


class PointOfInterest:
    """A place in a picture, and how much it matters."""

    def __init__(self, x: float, y: float, weight: float = 1.0, size: int = 10) -> None:
        self.x, self.y, self.weight, self.size = x, y, weight, size


class Settings:
    """How to crop."""

    def __init__(
        self,
        crop_width: int = 512,
        crop_height: int = 512,
        corner_points_weight: float = 0.5,
        entropy_points_weight: float = 0.5,
        face_points_weight: float = 0.5,
        annotate_image: bool = False,
        dnn_model_path: str | None = None,
    ) -> None:
        self.crop_width, self.crop_height = crop_width, crop_height
        self.corner_points_weight = corner_points_weight
        self.entropy_points_weight = entropy_points_weight
        self.face_points_weight = face_points_weight
        self.annotate_image = annotate_image
        self.dnn_model_path = dnn_model_path


def crop_image(im: Any, settings: Settings) -> list[Any]:
    """The middle of a picture, at the size asked for."""
    from PIL import ImageOps

    return [ImageOps.fit(im, (settings.crop_width, settings.crop_height))]


def focal_point(im: Any, settings: Settings) -> PointOfInterest:
    """The middle."""
    return PointOfInterest(im.width / 2, im.height / 2)


def download_and_cache_models(dirname: str = "") -> str:
    """No detector of faces is built in, and scripts may not download one."""
    raise NotImplementedError(
        "The detector of faces that A1111 downloads is not built in. Put it where the extension "
        "looks for it."
    )


__getattr__ = unprovided(__name__)
