"""What makes pictures larger."""

from __future__ import annotations

import os
from typing import Any

from modules import paths
from webui.compat.missing import unprovided

MOST_ROUNDS = 3


class Upscaler:
    """Something that makes pictures larger; extensions derive from it."""

    name: str | None = None
    model_path: str | None = None
    model_name: str | None = None
    model_url: str | None = None
    enable = True
    filter: Any = None
    model: Any = None
    user_path: str | None = None
    scalers: list[Any] = []
    tile = True

    def __init__(self, create_dirs: bool = False) -> None:
        from PIL import Image

        self.mod_pad_h = None
        self.tile_size = 192
        self.tile_pad = 8
        self.device: Any = None
        self.img: Any = None
        self.output: Any = None
        self.scale = 1
        self.half = True
        self.pre_pad = 0
        self.mod_scale = None
        self.model_download_path = None
        self.filter = Image.Resampling.LANCZOS
        if self.model_path is None and self.name:
            self.model_path = os.path.join(paths.models_path, self.name)
        if self.model_path and create_dirs:
            os.makedirs(self.model_path, exist_ok=True)

    def do_upscale(self, img: Any, selected_model: str) -> Any:
        """A larger picture, by as much as the network gives."""
        return img

    def upscale(self, img: Any, scale: float, selected_model: str | None = None) -> Any:
        """A picture larger by this factor, in whole cells."""
        self.scale = int(scale) or 1
        width, height = (int(side * scale) // 8 * 8 for side in img.size)
        for _ in range(MOST_ROUNDS):
            if img.width >= width and img.height >= height:
                break
            before = img.size
            img = self.do_upscale(img, selected_model or "")
            if img.size == before:
                break
        return img if img.size == (width, height) else img.resize((width, height), self.filter)

    def load_model(self, path: str) -> Any:
        """The network of a file."""
        return None

    def find_models(self, ext_filter: Any = None) -> list[str]:
        """Its files."""
        from modules import modelloader

        return modelloader.load_models(
            model_path=self.model_path or "", model_url=self.model_url, ext_filter=ext_filter
        )

    def update_status(self, prompt: str) -> None:
        """Nobody listens."""


class UpscalerData:
    """One choice: a name, and what makes pictures larger with which file."""

    name: str | None = None
    data_path: str | None = None
    scale: int = 4
    scaler: Any = None
    model: Any = None

    def __init__(
        self,
        name: str,
        path: str | None,
        upscaler: Any = None,
        scale: int = 4,
        model: Any = None,
        sha256: str | None = None,
        hash_prefix: str | None = None,
    ) -> None:
        self.name = name
        self.data_path = self.local_data_path = path
        self.scaler = upscaler
        self.scale = scale
        self.model = model
        self.sha256 = sha256

    def __repr__(self) -> str:
        return f"<UpscalerData name={self.name} path={self.data_path} scale={self.scale}>"


class UpscalerNone(Upscaler):
    """Leaves pictures as they are."""

    name = "None"

    def __init__(self, dirname: str | None = None) -> None:
        super().__init__(False)
        self.scalers = [UpscalerData("None", None, self)]

    def load_model(self, path: str) -> None:
        """Nothing."""

    def upscale(self, img: Any, scale: float, selected_model: str | None = None) -> Any:
        """As it is."""
        return img


class _Resampling(Upscaler):
    """By resampling."""

    def __init__(self, dirname: str | None = None) -> None:
        super().__init__(False)
        self.scalers = [UpscalerData(str(self.name), None, self)]

    def do_upscale(self, img: Any, selected_model: str | None = None) -> Any:
        """Larger by `scale`."""
        return img.resize((int(img.width * self.scale), int(img.height * self.scale)), self.filter)


class UpscalerLanczos(_Resampling):
    """By Lanczos' filter."""

    name = "Lanczos"


class UpscalerNearest(_Resampling):
    """By repeating pixels."""

    name = "Nearest"

    def __init__(self, dirname: str | None = None) -> None:
        super().__init__(dirname)
        from PIL import Image

        self.filter = Image.Resampling.NEAREST


__getattr__ = unprovided(__name__)
