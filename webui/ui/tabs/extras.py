"""Work on finished pictures: bring one or several of them to a larger size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import gradio as gr
from gradio.components import Component

from webui.core.errors import InvalidRequest
from webui.core.model import ModelKind
from webui.core.request import Extras, InputId, Mode
from webui.plans.plan import PlanRequest
from webui.studio import Studio
from webui.ui.components.choice import NONE, maybe, tick
from webui.ui.components.extensions import extension_controls
from webui.ui.components.group import At, group, plain
from webui.ui.components.slider import element_id, off_slider, own_slider
from webui.ui.components.source import keep_upload, picture_place, shower
from webui.ui.components.workspace import wire_generate
from webui.ui.form import Form, Values
from webui.ui.live import live
from webui.ui.page import Choices, Page, Tab

IMAGE: Final = "extras.image"
IMAGES: Final = "options.images"
"""The field of a plan that holds several pictures."""


class SeveralPictures:
    """What Generate asks when there are several: a plan with a job for each."""

    def __init__(self, studio: Studio, form: Form, files: gr.File) -> None:
        self._studio: Final = studio
        self._form: Final = form
        self._files: Final = files

    @property
    def inputs(self) -> set[Component]:
        """The control, for a handler's inputs beside the form's."""
        return {self._files}

    def component(self, field: str) -> Component | None:
        """The control that holds the pictures, for faults."""
        return self._files if field.startswith(IMAGES) else None

    def asked(self, values: Values) -> PlanRequest | None:
        """The plan; None when there are no files. Raises InvalidRequest."""
        paths: Sequence[str] = values[self._files] or ()
        if not paths:
            return None
        image = self._form.component(IMAGE)
        assert image is not None
        request = self._form.request({**values, image: paths[0]})
        images = [
            {
                "name": Path(path).name,
                "image": keep_upload(self._studio, IMAGES, Path(path).read_bytes()),
            }
            for path in paths
        ]
        return PlanRequest(kind="folder", request=request, options={"images": images})


def build(page: Page) -> None:
    """The picture and how it is enlarged at the left, results at the right."""
    form = page.forms[Mode.EXTRAS] = Form(Mode.EXTRAS)
    with gr.Row(elem_classes="gesso-work"):
        with gr.Column(
            scale=2, min_width=320, elem_id="extras_settings", elem_classes="gesso-controls"
        ):
            several = _pictures(page, form)
            _upscaler(page, form)
            own_slider(form, "extras.scale", "Resize by", "upscaling_resize", step=0.05)
            _exact_size(form)
            _second_upscaler(page, form)
            extension_controls(page, form)
            generate, answer = _generate_box()
        with gr.Column(
            scale=3, min_width=320, elem_id="extras_results", elem_classes="gesso-results-column"
        ):
            live("gesso-plans", mode=Mode.EXTRAS)
            live("gesso-results", elem_id="extras_gallery", mode=Mode.EXTRAS)
    wire_generate(page.studio, form, generate, answer, several)


def upscaler_choices(page: Page) -> Choices:
    """What needs no file, then files. Latent modes need a model that paints."""
    files = page.studio.catalog.models(kind=ModelKind.UPSCALER)
    return [
        *((each.label, each.id) for each in page.studio.upscalers if not each.is_latent),
        *((model.name, model.id) for model in files),
    ]


def _pictures(page: Page, form: Form) -> SeveralPictures:
    """A place for one picture and, closed away, one for several."""
    place = picture_place("Picture", "extras_image", height=240)
    with gr.Accordion(
        "Several pictures", open=False, elem_id="extras_several", elem_classes="gesso-group"
    ):
        gr.Markdown("While there are pictures here, each of them is enlarged.")
        files = gr.File(
            label="Pictures",
            show_label=False,
            file_count="multiple",
            elem_id="extras_image_batch",
            elem_classes="gesso-source",
            height=140,
        )

    def take(path: str | None) -> InputId:
        if not path:
            raise InvalidRequest(IMAGE, "There is no picture. Drop one or choose a file.")
        return keep_upload(page.studio, IMAGE, Path(path).read_bytes())

    shown = shower(page.studio, place)
    form.bind(IMAGE, place, read=take, show=shown, blank=None, also={files: None})
    return SeveralPictures(page.studio, form, files)


def _upscaler(page: Page, form: Form) -> None:
    control = gr.Dropdown(
        upscaler_choices(page),
        value=Extras.upscaler,
        label="Upscaler",
        elem_id=element_id(form, "upscaler_1"),
        elem_classes="gesso-line",
        min_width=120,
    )
    form.bind("extras.upscaler", control, blank=Extras.upscaler)
    page.lists[control] = lambda: upscaler_choices(page)


def _exact_size(form: Form) -> None:
    def words(at: At) -> list[str]:
        if not (at["extras.width"] and at["extras.height"]):
            return []
        return [f"{plain(at['extras.width'])}×{plain(at['extras.height'])}"]

    with group(form, "Exact size", "extras_exact_size", words):
        gr.Markdown("With both above 0, they count instead of “Resize by”.")
        off_slider(form, "extras.width", "Width", "upscaling_resize_w")
        off_slider(form, "extras.height", "Height", "upscaling_resize_h")
        tick(form, "extras.crop", "Crop what sticks out", "upscaling_crop")


def _second_upscaler(page: Page, form: Form) -> None:
    def words(at: At) -> list[str]:
        if not at["extras.second_upscaler"]:
            return []
        labels = {id: label for label, id in upscaler_choices(page)}
        name = labels.get(at["extras.second_upscaler"], at["extras.second_upscaler"])
        return [f"{name} {plain(at['extras.second_visibility'] or 0)}"]

    with group(form, "Second upscaler", "extras_second", words):
        control = maybe(
            form, "extras.second_upscaler", "Upscaler 2", upscaler_choices(page), "upscaler_2",
            "None",
        )  # fmt: skip
        page.lists[control] = lambda: [("None", NONE), *upscaler_choices(page)]
        own_slider(form, "extras.second_visibility", "Visibility", "upscaler_2_visibility")


def _generate_box() -> tuple[gr.Button, gr.Textbox]:
    """The button, and where the server's answer to it goes."""
    with gr.Column(elem_id="extras_generate_box"):
        generate = gr.Button("Upscale", variant="primary", elem_id="extras_generate")
        live("gesso-cancel", mode=Mode.EXTRAS)
    live("gesso-fault", mode=Mode.EXTRAS)
    return generate, gr.Textbox(visible="hidden", elem_id="extras_answer", label="Answer")


TAB: Final = Tab(id=Mode.EXTRAS, title="Extras", order=35, build=build)
