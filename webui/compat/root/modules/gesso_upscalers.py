"""The studio's upscalers as scripts call them. Not a module of A1111's."""

from __future__ import annotations

from typing import Any

from modules.gesso import side
from modules.upscaler import Upscaler, UpscalerData, UpscalerLanczos, UpscalerNearest, UpscalerNone
from webui.core.model import ModelKind


class StudioUpscaler(Upscaler):
    """An upscaler of the studio's: a file, or a filter. Within jobs it runs in the engine."""

    def __init__(self, id: str, label: str, path: str | None) -> None:
        self.name = label
        super().__init__(False)
        self.id = id
        self.scalers = [UpscalerData(label, path, self)]

    def upscale(self, img: Any, scale: float, selected_model: str | None = None) -> Any:
        """A picture larger by this factor."""
        if side.job is None:
            raise RuntimeError(
                f"The upscaler {self.name} works within jobs, where the engine is. Start it from "
                "a script of a picture tab, or use the Extras tab."
            )
        return side.job.enlarged(img.convert("RGB"), self.id, float(scale))

    def do_upscale(self, img: Any, selected_model: str | None = None) -> Any:
        """Larger by what was last asked."""
        return self.upscale(img, float(self.scale or 4))


def upscalers() -> list[UpscalerData]:
    """None, the filters, and the files."""
    plain = [UpscalerNone(), UpscalerLanczos(), UpscalerNearest()]
    known = {scaler.name.lower() for scaler in plain if scaler.name}
    found = [data for scaler in plain for data in scaler.scalers]
    for each in _told():
        if each["name"].lower() not in known:
            scaler = StudioUpscaler(each["id"], each["name"], each["path"] or None)
            found += scaler.scalers
    return found


def _told() -> list[dict[str, str]]:
    if side.studio is None:
        return list(side.told.get("upscalers", ()))
    built_in = [each for each in side.studio.upscalers if not each.is_latent]
    files = side.studio.catalog.models(ModelKind.UPSCALER)
    return [
        *({"id": each.id, "name": each.label, "path": ""} for each in built_in),
        *({"id": each.id, "name": each.name, "path": str(each.path)} for each in files),
    ]
