"""Makes a guiding picture out of the source picture, with what extensions add for that."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.processing_utils import save_bytes_to_cache

from webui.core.errors import GessoError
from webui.core.person import Role
from webui.extend.inputs import checked
from webui.extend.registered import Preprocessor
from webui.studio import Studio
from webui.ui.caller import must_be
from webui.ui.components.source import FIELD, opened
from webui.ui.form import Form
from webui.ui.input_control import control_of
from webui.ui.page import Page


def preprocess_group(page: Page, form: Form) -> None:
    """Nothing while no extension adds a preprocessor."""
    found = page.studio.extensions.preprocessors()
    source = form.component(FIELD)
    if not found or source is None:
        return
    with gr.Accordion(
        "Prepare", open=False, elem_id=f"{form.mode}_prepare", elem_classes="gesso-group"
    ):
        gr.Markdown("Makes another picture out of the source picture, and takes its place.")
        choice = gr.Dropdown(
            [(each.label, f"{id}/{each.id}") for id, each in found],
            value=f"{found[0][0]}/{found[0][1].id}",
            label="Preprocessor",
            elem_id=f"{form.mode}_preprocessor",
            elem_classes="gesso-line",
        )
        for id, each in found:
            _prepare_with(page.studio, source, choice, id, each)


def _prepare_with(
    studio: Studio, source: Component, choice: gr.Dropdown, id: str, part: Preprocessor
) -> None:
    """The controls and the button of one preprocessor, seen while it is the chosen one."""
    key = f"{id}/{part.id}"
    with gr.Column(visible=choice.value == key) as column:
        place = f"prepare_{id}_{part.id}"
        controls = [control_of(each, id, f"{place}_{each.id}") for each in part.inputs]
        button = gr.Button("Prepare", size="sm", elem_id=place)
    quiet: dict[str, Any] = {"queue": False, "api_visibility": "private"}
    choice.change(lambda chosen: gr.update(visible=chosen == key), [choice], [column], **quiet)
    prepare = _preparer(studio, source, id, part)
    button.click(prepare, [source, *controls], [source], api_visibility="private")


def _preparer(
    studio: Studio, source: Component, id: str, part: Preprocessor
) -> Callable[..., str | None]:
    def prepare(path: str | None, *values: Any) -> str | None:
        must_be(Role.ARTIST)
        if not path:
            raise gr.Error("There is no source picture. Drop one or choose a file.")
        try:
            data = made_by(studio, id, part, Path(path).read_bytes(), values)
        except GessoError as error:
            raise gr.Error(str(error)) from error
        return str(save_bytes_to_cache(data, "prepared.png", source.GRADIO_CACHE))

    return prepare


def made_by(
    studio: Studio, id: str, part: Preprocessor, data: bytes, values: Sequence[Any]
) -> bytes:
    """The PNG that a preprocessor makes of a picture file. Raises InvalidRequest for a file that
    is no picture, ExtensionFailed."""
    picture = opened(data, FIELD).convert("RGB")
    names = [each.id for each in part.inputs]
    inputs = checked(part.inputs, dict(zip(names, values, strict=True)), part.id)
    made = studio.extensions.guard(id, "preprocessor", lambda: part.run(picture, inputs))
    buffer = io.BytesIO()
    made.convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()
