"""Sampler, schedule, steps and guidance."""

from __future__ import annotations

from typing import Final

import gradio as gr

from webui.core.model import Defaults
from webui.studio import Studio
from webui.ui.components.slider import slider
from webui.ui.form import Form

MORE: Final = "More"


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


def more_controls(form: Form, defaults: Defaults) -> None:
    """What is seldom changed, closed away. The title says when something in it is."""
    with gr.Accordion(MORE, open=False, elem_id=f"{form.mode}_more") as more:
        clip_skip = slider(form, "sampling.clip_skip", "Clip skip", defaults.clip_skip, "clip_skip")
    clip_skip.change(
        _title_of_more,
        [clip_skip],
        [more],
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )


def _title_of_more(clip_skip: float | None) -> gr.Accordion:
    is_active = clip_skip not in (None, 1)
    return gr.Accordion(label=f"{MORE} · clip skip {clip_skip}" if is_active else MORE)
