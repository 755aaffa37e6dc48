"""The control that suits an input which an extension declares."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.components import Component

from webui.core.errors import GessoError
from webui.extend.inputs import Choice, Input, Slider, Text, Toggle
from webui.ui.controls import Slider as SliderControl


def control_of(each: Input, extension: str, elem_id: str) -> Component:
    """The control that suits a declared input."""
    common: dict[str, Any] = {
        "value": each.default,
        "label": each.label,
        "info": each.help or None,
        "elem_id": elem_id,
    }
    match each:
        case Toggle():
            return gr.Checkbox(**common)
        case Slider():
            return SliderControl(
                each.low, each.high, step=each.step, min_width=120, buttons=[], **common
            )
        case Choice():
            return gr.Dropdown(list(each.choices), elem_classes="gesso-line", **common)
        case Text():
            return gr.Textbox(lines=each.lines, max_lines=max(each.lines, 12), **common)
    raise GessoError(f"“{extension}”: there is no control for a {type(each).__name__}.")
