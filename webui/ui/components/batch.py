"""How many pictures one press of Generate makes."""

from __future__ import annotations

import gradio as gr

from webui.ui.components.slider import slider
from webui.ui.form import Form


def batch_controls(form: Form) -> None:
    """Passes, and pictures in each pass."""
    with gr.Row(elem_id=f"{form.mode}_batch_row", elem_classes="gesso-pair"):
        slider(form, "batch_count", "Batch count", 1, "batch_count")
        slider(form, "batch_size", "Batch size", 1, "batch_size")
