"""What the buttons beside the picture tabs do."""

from __future__ import annotations

import html
from typing import Any

from webui.compat.missing import unprovided


def run_pnginfo(image: Any) -> tuple[str, str, str]:
    """Nothing, a picture's text, and all that it says of itself, as HTML."""
    from modules import images

    if image is None:
        return "", "", ""
    text, items = images.read_info_from_image(image)
    said = {"parameters": text, **items} if text else items
    rows = [
        f"<div><p><b>{html.escape(str(name))}</b></p><p>{html.escape(str(value))}</p></div>\n"
        for name, value in said.items()
    ]
    return "", text or "", "".join(rows) or "<div><p>Nothing found in the image.</p></div>"


def create_config(*arguments: Any) -> None:
    """Checkpoints need no configuration here."""


def to_half(tensor: Any, enable: bool) -> Any:
    """A tensor in half precision, if wanted."""
    import torch

    return tensor.half() if enable and tensor.dtype == torch.float else tensor


def run_modelmerger(*arguments: Any, **named: Any) -> Any:
    """Not here."""
    raise NotImplementedError("Checkpoints are not merged by scripts here. Merge them elsewhere.")


def read_metadata(
    primary_model_name: str, secondary_model_name: str, tertiary_model_name: str
) -> str:
    """What the makers of up to three checkpoints wrote into them, as JSON."""
    import json

    from modules import sd_models

    said: dict[str, Any] = {}
    for name in (primary_model_name, secondary_model_name, tertiary_model_name):
        info = sd_models.checkpoints_list.get(name)
        if info is not None:
            said |= info.metadata
    return json.dumps(said, indent=4, ensure_ascii=False)


__getattr__ = unprovided(__name__)
