"""Pictures in texts, and what scripts ask of the API's object."""

from __future__ import annotations

import base64
import io
from typing import Any

from modules import scripts, shared
from modules.api import models
from webui.compat.missing import unprovided

__all__ = ["models"]


def script_name_to_index(name: str, scripts_list: Any) -> int:
    """The place of a script in a list. Raises HTTPException (422)."""
    from fastapi.exceptions import HTTPException

    titles = [script.title().lower() for script in scripts_list]
    if name.lower() not in titles:
        raise HTTPException(422, f"Script '{name}' not found")
    return titles.index(name.lower())


def validate_sampler_name(name: str) -> str:
    """The name, if there is such a sampler. Raises HTTPException (400)."""
    from fastapi.exceptions import HTTPException

    from modules import sd_samplers

    if name not in sd_samplers.all_samplers_map:
        raise HTTPException(status_code=400, detail="Sampler not found")
    return name


def decode_base64_to_image(encoding: str) -> Any:
    """The picture of a text. Addresses are not fetched. Raises HTTPException (500)."""
    from fastapi.exceptions import HTTPException
    from PIL import Image

    if encoding.startswith(("http://", "https://")):
        raise HTTPException(status_code=500, detail="Requests not allowed")
    if encoding.startswith("data:image/"):
        encoding = encoding.split(",", 1)[-1]
    try:
        image = Image.open(io.BytesIO(base64.b64decode(encoding)))
        image.load()
    except (OSError, ValueError) as error:
        raise HTTPException(status_code=500, detail="Invalid encoded image") from error
    return image


def encode_pil_to_base64(image: Any) -> bytes:
    """A picture as text, in the format that the options name."""
    if isinstance(image, str):
        return image.encode()
    kind = str(shared.opts.data.get("samples_format") or "png").lower()
    kind = {"jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP"}.get(kind, "PNG")
    buffer = io.BytesIO()
    if kind == "PNG":
        image.save(buffer, "PNG", pnginfo=_texts(image))
    else:
        quality = int(shared.opts.data.get("jpeg_quality") or 80)
        image.convert("RGB").save(buffer, kind, quality=quality)
    return base64.b64encode(buffer.getvalue())


def _texts(image: Any) -> Any:
    from PIL import PngImagePlugin

    texts = PngImagePlugin.PngInfo()
    for key, value in image.info.items():
        if isinstance(key, str) and isinstance(value, str):
            texts.add_text(key, value)
    return texts


def setUpscalers(req: dict[str, Any]) -> dict[str, Any]:
    """A request's upscalers under the names of `run_extras`."""
    values = dict(req)
    values["extras_upscaler_1"] = values.pop("upscaler_1", None)
    values["extras_upscaler_2"] = values.pop("upscaler_2", None)
    return values


def api_middleware(app: Any) -> None:
    """Requests are looked at by the studio's gate."""


class Api:
    """The API's object. Its routes are the studio's own; scripts add theirs to `app`."""

    def __init__(self, app: Any, queue_lock: Any = None) -> None:
        self.app = app
        self.queue_lock = queue_lock
        self.default_script_arg_txt2img: list[Any] = []
        self.default_script_arg_img2img: list[Any] = []

    def add_api_route(self, path: str, endpoint: Any, **kwargs: Any) -> Any:
        """A further route."""
        return self.app.add_api_route(path, endpoint, **kwargs)

    def get_selectable_script(self, script_name: str | None, script_runner: Any) -> tuple[Any, Any]:
        """A script that takes jobs over, and its place; nothing for no name."""
        if not script_name:
            return None, None
        place = script_name_to_index(script_name, script_runner.selectable_scripts)
        return script_runner.selectable_scripts[place], place

    def get_script(self, script_name: str | None, script_runner: Any) -> Any:
        """A script by its title; None for no name."""
        if not script_name:
            return None
        return script_runner.scripts[script_name_to_index(script_name, script_runner.scripts)]

    def init_default_script_args(self, script_runner: Any) -> list[Any]:
        """The values of all controls when nobody touches them."""
        last = max((script.args_to or 1 for script in script_runner.scripts), default=1)
        values: list[Any] = [None] * last
        values[0] = 0
        for script in script_runner.scripts:
            for place, control in enumerate(script.controls or ()):
                values[(script.args_from or 0) + place] = getattr(control, "value", None)
        return values

    def init_script_args(
        self,
        request: Any,
        default_script_args: Any,
        selectable_scripts: Any,
        selectable_idx: Any,
        script_runner: Any,
        *,
        input_script_args: Any = None,
    ) -> list[Any]:
        """Those values, with what a request gives."""
        values = list(default_script_args)
        if selectable_scripts:
            start = selectable_scripts.args_from
            values[start : selectable_scripts.args_to] = list(request.script_args or ())
            values[0] = selectable_idx + 1
        for name, given in (getattr(request, "alwayson_scripts", None) or {}).items():
            script = self.get_script(name, script_runner)
            for place, value in enumerate(given.get("args") or ()):
                values[script.args_from + place] = value
        return values

    def text2imgapi(self, txt2imgreq: Any) -> Any:
        """Not here: the studio answers /sdapi/v1/txt2img."""
        raise NotImplementedError("Ask the studio's own route /sdapi/v1/txt2img.")

    def img2imgapi(self, img2imgreq: Any) -> Any:
        """Not here: the studio answers /sdapi/v1/img2img."""
        raise NotImplementedError("Ask the studio's own route /sdapi/v1/img2img.")

    def launch(self, *arguments: Any, **named: Any) -> None:
        """The studio is running already."""


_scripts = scripts

__getattr__ = unprovided(__name__)
