"""A tab that an extension's extension.toml declares: a picture and controls in, a result out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import gradio as gr
from PIL import Image

from webui.core.errors import GessoError
from webui.extend.inputs import Input
from webui.extend.manifest import DeclaredTab
from webui.extend.registered import Answer
from webui.ui.input_control import control_of


def draw_declared(
    extension: str, tab: DeclaredTab, inputs: Sequence[Input], answer: Answer
) -> None:
    """Picture and controls at the left, what came of them at the right."""
    place = f"ext_{extension}_{tab.id}"
    with gr.Row():
        with gr.Column():
            picture = gr.Image(
                type="pil", label="Picture", visible=tab.takes_picture, elem_id=f"{place}_picture"
            )
            controls = [control_of(each, extension, f"{place}_{each.id}") for each in inputs]
            button = gr.Button(tab.button, variant="primary", elem_id=f"{place}_run")
        with gr.Column():
            made = gr.Image(type="pil", label="Result", interactive=False, elem_id=f"{place}_made")
            words = gr.Markdown(elem_id=f"{place}_words")

    def run(image: Image.Image | None, *values: Any) -> Mapping[Any, Any]:
        named = {each.id: value for each, value in zip(inputs, values, strict=True)}
        try:
            result = answer(tab.id, image, SimpleNamespace(**named))
        except GessoError as error:
            result = str(error)
        if isinstance(result, Image.Image):
            return {made: result, words: ""}
        return {made: None, words: str(result or "")}

    button.click(run, [picture, *controls], [made, words], api_visibility="private")
