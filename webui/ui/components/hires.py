"""The second pass at a larger size."""

from __future__ import annotations

import gradio as gr

from webui.core.model import ModelKind
from webui.ui.components.choice import maybe, model_list, part
from webui.ui.components.group import At, group, plain
from webui.ui.components.slider import element_id, off_slider, own_slider
from webui.ui.form import Form
from webui.ui.page import Choices, Page


def hires_controls(page: Page, form: Form) -> None:
    """Hires fix, closed away and off."""
    labels = {id: label for label, id in upscaler_choices(page)}

    def words(at: At) -> list[str]:
        if not at["hires"]:
            return []
        upscaler = at["hires.upscaler"] or ""
        return [_size_words(at), str(labels.get(upscaler, upscaler))]

    with (
        group(form, "Hires fix", f"{form.mode}_hr", words),
        part(form, "hires", "Use hires fix", "hr-checkbox"),
    ):
        _size(page, form)
        own_slider(form, "hires.denoising_strength", "Denoising strength", "hr_denoising_strength")
        off_slider(form, "hires.steps", "Hires steps (0 = same)", "hires_steps")
        with gr.Accordion(
            "Other words, sampler, checkpoint", open=False, elem_id=f"{form.mode}_hr_others"
        ):
            _others(page, form)


def _size_words(at: At) -> str:
    width, height = at["hires.width"], at["hires.height"]
    if width and height:
        return f"{width}×{height}"
    if width or height:
        return f"{width} wide" if width else f"{height} high"
    return f"{plain(at['hires.scale'] or 1)}×"


def upscaler_choices(page: Page) -> Choices:
    """Latent modes, what needs no file, then files."""
    files = page.studio.catalog.models(kind=ModelKind.UPSCALER)
    return [
        *((upscaler.label, upscaler.id) for upscaler in page.studio.upscalers),
        *((model.name, model.id) for model in files),
    ]


def _size(page: Page, form: Form) -> None:
    upscaler = gr.Dropdown(
        upscaler_choices(page),
        value="latent",
        label="Upscaler",
        elem_id=element_id(form, "hr_upscaler"),
        elem_classes="gesso-line",
        min_width=120,
    )
    form.bind("hires.upscaler", upscaler, blank="latent")
    page.lists[upscaler] = lambda: upscaler_choices(page)
    own_slider(form, "hires.scale", "Upscale by", "hr_scale", step=0.05)
    off_slider(form, "hires.width", "Resize width to", "hr_resize_x")
    off_slider(form, "hires.height", "Resize height to", "hr_resize_y")


def _others(page: Page, form: Form) -> None:
    studio = page.studio
    samplers = [(one.label, one.id) for one in studio.samplers]
    schedules = [(one.label, one.id) for one in studio.schedules]
    maybe(form, "hires.sampler", "Hires sampler", samplers, "hr_sampler", "Use same sampler")
    maybe(
        form, "hires.schedule", "Hires schedule type", schedules, "hr_scheduler",
        "Use same schedule type",
    )  # fmt: skip
    off_slider(form, "hires.guidance_scale", "Hires CFG scale (0 = same)", "hr_cfg_scale", step=0.5)
    model_list(
        page, form, "hires.checkpoint", "Hires checkpoint", "hr_checkpoint",
        kind=ModelKind.CHECKPOINT, none="Use same checkpoint",
    )  # fmt: skip
    _words(form, "hires.prompt", "Hires prompt", "hires_prompt")
    _words(form, "hires.negative_prompt", "Hires negative prompt", "hires_neg_prompt")


def _words(form: Form, path: str, label: str, name: str) -> None:
    box = gr.Textbox(
        "", label=label, lines=2, placeholder="Empty: the same", elem_id=element_id(form, name)
    )
    form.bind(path, box, read=lambda text: text or None, blank="")
