"""Sampler, schedule, steps and guidance."""

from __future__ import annotations

import gradio as gr

from webui.core.model import Defaults
from webui.studio import Studio
from webui.ui.components.slider import slider
from webui.ui.form import Form


def sampler_controls(studio: Studio, form: Form, defaults: Defaults) -> None:
    """Sampler, schedule and steps."""
    mode = form.mode
    with gr.Row(elem_id=f"{mode}_sampler_row", elem_classes="gesso-pair"):
        sampler = gr.Dropdown(
            [(part.label, part.id) for part in studio.samplers],
            value=defaults.sampler,
            label="Sampler",
            elem_id=f"{mode}_sampling",
            min_width=120,
        )
        schedule = gr.Dropdown(
            [(part.label, part.id) for part in studio.schedules],
            value=defaults.schedule,
            label="Schedule type",
            elem_id=f"{mode}_scheduler",
            min_width=120,
        )
    form.bind("sampling.sampler", sampler)
    form.bind("sampling.schedule", schedule)
    slider(form, "sampling.steps", "Steps", defaults.steps, "steps")


def guidance_control(form: Form, defaults: Defaults) -> None:
    """How closely the picture follows the prompt."""
    slider(
        form,
        "sampling.guidance_scale",
        "Guidance (CFG scale)",
        defaults.guidance_scale,
        "cfg_scale",
        step=0.5,
    )
