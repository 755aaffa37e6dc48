"""Tabs of workers, drawn from what extension.toml declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from PIL import Image

from webui.extend.inputs import Choice, Input, Slider, Text, Toggle
from webui.extend.manifest import DeclaredTab
from webui.extend.registered import Tab

Answer = Callable[[str, Image.Image | None, SimpleNamespace], Any]
"""Asks the worker: the tab's id, the picture, the values."""


def as_tab(declared: DeclaredTab, inputs: Sequence[Input], answer: Answer) -> Tab:
    """The tab, with the declared inputs that it names."""
    shown = [each for each in inputs if each.id in declared.inputs]
    return Tab(title=declared.title, build=lambda page: _draw(declared, shown, answer))


def _draw(declared: DeclaredTab, inputs: Sequence[Input], answer: Answer) -> None:
    import gradio as gr

    with gr.Row():
        with gr.Column():
            picture = gr.Image(type="pil", label="Picture", visible=declared.takes_picture)
            controls = [control(each) for each in inputs]
            button = gr.Button(declared.button, variant="primary")
        with gr.Column():
            made = gr.Image(type="pil", label="Result", interactive=False)
            words = gr.Markdown()

    def run(image: Image.Image | None, *values: Any) -> Mapping[Any, Any]:
        named = {each.id: value for each, value in zip(inputs, values, strict=True)}
        result = answer(declared.id, image, SimpleNamespace(**named))
        if isinstance(result, Image.Image):
            return {made: result, words: ""}
        return {made: None, words: str(result or "")}

    button.click(run, [picture, *controls], [made, words], api_visibility="private")


def control(of: Input) -> Any:
    """A Gradio control for an input."""
    import gradio as gr

    match of:
        case Toggle():
            return gr.Checkbox(of.default, label=of.label, info=of.help or None)
        case Slider():
            return gr.Slider(
                of.low, of.high, of.default, step=of.step, label=of.label, info=of.help or None
            )
        case Choice():
            return gr.Dropdown(
                list(of.choices), value=of.default, label=of.label, info=of.help or None
            )
        case Text():
            return gr.Textbox(of.default, lines=of.lines, label=of.label, info=of.help or None)
        case _:
            raise TypeError(f"There is no control for an input of the kind “{of.kind}”.")
