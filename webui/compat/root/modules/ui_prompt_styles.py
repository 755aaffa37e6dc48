"""Styles beside a prompt, for scripts that put them beside their own."""

from __future__ import annotations

from typing import Any

import gradio as gr

from modules import shared, ui_components
from webui.compat.missing import unprovided

styles_edit_symbol = "\U0001f58c\ufe0f"
styles_materialize_symbol = "\U0001f4cb"
styles_copy_symbol = "\U0001f4dd"


def apply_styles(prompt: str, negative_prompt: str, styles: list[str]) -> list[Any]:
    """The two prompts with the styles in them, and none left to choose."""
    prompt = shared.prompt_styles.apply_styles_to_prompt(prompt, styles)
    negative = shared.prompt_styles.apply_negative_styles_to_prompt(negative_prompt, styles)
    return [gr.update(value=prompt), gr.update(value=negative), gr.update(value=[])]


class UiPromptStyles:
    """A list of styles and a button that puts them into the prompts."""

    def __init__(self, tabname: str, main_ui_prompt: Any, main_ui_negative_prompt: Any) -> None:
        self.tabname = tabname
        self.main_ui_prompt = main_ui_prompt
        self.main_ui_negative_prompt = main_ui_negative_prompt
        with gr.Row(elem_id=f"{tabname}_styles_row"):
            self.dropdown = gr.Dropdown(
                label="Styles",
                show_label=False,
                elem_id=f"{tabname}_styles",
                choices=list(shared.prompt_styles.styles),
                value=[],
                multiselect=True,
            )
            self.materialize = ui_components.ToolButton(
                value=styles_materialize_symbol, elem_id=f"{tabname}_style_apply"
            )
        if main_ui_prompt is not None and main_ui_negative_prompt is not None:
            self.setup_apply_button(self.materialize)

    def setup_apply_button(self, button: Any) -> None:
        """Let a button put the chosen styles into the prompts."""
        prompts = [self.main_ui_prompt, self.main_ui_negative_prompt]
        button.click(
            fn=apply_styles,
            inputs=[*prompts, self.dropdown],
            outputs=[*prompts, self.dropdown],
            show_progress=False,
        )


__getattr__ = unprovided(__name__)
