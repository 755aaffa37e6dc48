"""Prompt, negative prompt and the Generate box: the row that is always in reach."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from webui.ui.components.cards import cards_button, cards_panel
from webui.ui.form import Form
from webui.ui.live import live


@dataclass(frozen=True, kw_only=True)
class PromptRow:
    """The parts of the row that events are wired to."""

    prompt: gr.Textbox
    negative: gr.Textbox
    generate: gr.Button
    answer: gr.Textbox
    """Out of sight: the server's answer to Generate as JSON, read by the client."""


def prompt_row(form: Form) -> PromptRow:
    """Draw the row and bind its controls."""
    mode = form.mode
    with gr.Row(elem_id=f"{mode}_toprow", elem_classes="gesso-prompt-row", equal_height=True):
        with gr.Column(
            scale=6,
            min_width=280,
            elem_id=f"{mode}_prompt_container",
            elem_classes="gesso-prompts",
        ):
            prompt = gr.Textbox(
                label="Prompt",
                placeholder="What do you want to see?",
                lines=2,
                max_lines=6,
                value="",
                elem_id=f"{mode}_prompt",
            )
            negative = gr.Textbox(
                label="Negative prompt",
                placeholder="What should not be in it (negative prompt)",
                lines=1,
                max_lines=3,
                value="",
                elem_id=f"{mode}_neg_prompt",
            )
        with gr.Column(scale=1, min_width=150, elem_id=f"{mode}_generate_box"):
            cards_button(mode)
            generate = gr.Button("Generate", variant="primary", elem_id=f"{mode}_generate")
            live("gesso-cancel", mode=mode)
        live("gesso-fault", mode=mode)
    cards_panel(mode)
    answer = gr.Textbox(visible="hidden", elem_id=f"{mode}_answer", label="Answer")
    form.bind("prompt", prompt, read=_text)
    form.bind("negative_prompt", negative, read=_text)
    return PromptRow(prompt=prompt, negative=negative, generate=generate, answer=answer)


def _text(value: str | None) -> str:
    return value or ""
