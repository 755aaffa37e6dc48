"""`gr.Image(tool="sketch")` of Gradio 3: a picture that is painted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import gradio as gr
import numpy as np
from PIL import Image

SKETCH_TOOLS: Final = ("sketch", "color-sketch", "editor", "select")
MASKED: Final = "sketch"
"""Only this tool gives picture and mask; the others a picture painted over."""


def is_sketch(arguments: Mapping[str, Any]) -> bool:
    """Whether a gr.Image with these arguments is to be painted on."""
    return arguments.get("tool") in ("sketch", "color-sketch")


class SketchImage(gr.ImageEditor):  # type: ignore[misc,unused-ignore]
    """Gives {"image": ..., "mask": ...} as the old one did, or the picture painted over."""

    def __init__(self, value: Any = None, **arguments: Any) -> None:
        self.is_masked: Final = arguments.pop("tool", MASKED) == MASKED
        self.asked_type: Final = arguments.pop("type", "numpy")
        kept = {name: arguments[name] for name in _KEPT if name in arguments}
        color = arguments.get("brush_color") or "#ffffff"
        super().__init__(
            value,
            type="pil",
            layers=False,
            transforms=(),
            sources=("upload", "clipboard"),
            brush=gr.Brush(default_size=arguments.get("brush_radius") or "auto", colors=[color]),
            **kept,
        )

    def get_block_name(self) -> str:
        """The name of the part of the page that draws it."""
        return "imageeditor"

    def preprocess(self, payload: Any) -> Any:
        """What the script gets; None when nothing was put in."""
        made: Any = super().preprocess(payload) or {}
        if not self.is_masked and made.get("composite") is not None:
            return self._asked(made["composite"].convert("RGB"))
        return self.given(made.get("background"), made.get("layers") or ())

    def given(self, picture: Image.Image | None, layers: Sequence[Image.Image]) -> Any:
        """Picture and mask, white where anything was painted; None without a picture."""
        if picture is None:
            return None
        image = picture.convert("RGB")
        return {"image": self._asked(image), "mask": self._asked(_mask(layers, image.size))}

    def _asked(self, image: Image.Image) -> Any:
        return np.array(image) if self.asked_type == "numpy" else image


def _mask(layers: Sequence[Image.Image], size: tuple[int, int]) -> Image.Image:
    """White where anything was painted, in RGB."""
    mask = Image.new("L", size)
    for layer in layers:
        alpha = layer.convert("RGBA").getchannel("A").resize(size)
        mask.paste(255, mask=alpha.point(lambda value: 255 if value else 0))
    return mask.convert("RGB")


_KEPT: Final = (
    "height", "width", "label", "show_label", "container", "scale", "min_width", "interactive",
    "visible", "elem_id", "elem_classes", "render", "image_mode",
)  # fmt: skip
