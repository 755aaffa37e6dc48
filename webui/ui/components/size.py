"""Width, height, swapping them, shapes to choose from, and the size that suits a source picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import gradio as gr

from webui.core.model import Defaults
from webui.ui.components.slider import slider
from webui.ui.fields import range_of
from webui.ui.form import Form

RATIOS: Final = ((1, 1), (4, 3), (3, 2), (16, 9))
ROOMY: Final = 2.0
"""A source of up to this many times the model's own number of pixels keeps its size."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """The two sliders."""

    width: gr.Slider
    height: gr.Slider


def size_controls(form: Form, defaults: Defaults) -> Size:
    """Draw and bind them. Swap and the shapes work in the browser, without the server."""
    mode = form.mode
    with gr.Row(elem_id=f"{mode}_size_row", elem_classes="gesso-pair"):
        width = slider(form, "width", "Width", defaults.width, "width")
        height = slider(form, "height", "Height", defaults.height, "height")
    with gr.Row(elem_id=f"{mode}_dimensions_row", elem_classes="gesso-chips"):
        swap = gr.Button("Swap", size="sm", elem_id=f"{mode}_res_switch_btn", min_width=44)
        _in_browser(swap, [width, height], "(w, h) => [h, w]")
        for across, down in RATIOS:
            shape = gr.Button(
                f"{across}:{down}", size="sm", elem_id=f"{mode}_ratio_{across}_{down}", min_width=44
            )
            _in_browser(shape, [width, height], f"(w, h) => gesso.shape(w, h, {across}, {down})")
    return Size(width=width, height=height)


def size_for(source: tuple[int, int], defaults: Defaults) -> tuple[int, int]:
    """The size to work at for a source picture: its own, or its shape with about as many pixels
    as the model likes when it is much larger."""
    width, height = source
    wanted = defaults.width * defaults.height
    scale = 1.0 if width * height <= ROOMY * wanted else math.sqrt(wanted / (width * height))
    return side_of(width * scale), side_of(height * scale)


def side_of(pixels: float) -> int:
    """The nearest width or height that a request may have."""
    span = range_of("width")
    snapped = round(pixels / span.step) * span.step
    return int(min(max(snapped, span.minimum), span.maximum))


def _in_browser(button: gr.Button, controls: list[gr.Slider], js: str) -> None:
    button.click(None, controls, controls, js=js, queue=False, api_visibility="private")
