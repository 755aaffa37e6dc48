"""Values of old scripts' controls as plain data, and back: a picture is named as a request names
its source."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from webui.core.request import InputId
from webui.extend.legacy import PACKED

Keep = Callable[[bytes], InputId]


def packed(value: Any, keep: Keep) -> Any:
    """A control's value as plain data; `keep` puts a picture in. What is neither is left out."""
    if value is None:
        return {PACKED: "none"}
    if isinstance(value, Image.Image | np.ndarray):
        return _picture(value, keep)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(key): packed(each, keep) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [packed(each, keep) for each in value]
    if isinstance(value, bool | int | float | str):
        return value
    return {PACKED: "none"}


def unpacked(value: Any, paths: Mapping[InputId, Path]) -> Any:
    """What the control would give: pictures are read from `paths`."""
    if isinstance(value, Mapping):
        kind = value.get(PACKED)
        if kind is None:
            return {key: unpacked(each, paths) for key, each in value.items()}
        return None if kind == "none" else _opened(value, paths)
    if isinstance(value, list | tuple):
        return [unpacked(each, paths) for each in value]
    return value


def _picture(value: Image.Image | np.ndarray, keep: Keep) -> dict[str, str]:
    kind = "numpy" if isinstance(value, np.ndarray) else "pil"
    image = Image.fromarray(value) if isinstance(value, np.ndarray) else value
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return {PACKED: kind, "id": keep(buffer.getvalue())}


def _opened(value: Mapping[str, Any], paths: Mapping[InputId, Path]) -> Any:
    path = paths.get(InputId(str(value["id"])))
    if path is None:
        return None
    with Image.open(path) as image:
        image.load()
    return np.array(image) if value[PACKED] == "numpy" else image
