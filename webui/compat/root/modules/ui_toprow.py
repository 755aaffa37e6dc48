"""The row on top of a picture tab, for tabs that look like one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gradio as gr

from modules import shared, ui_components
from webui.compat.missing import unprovided


class Toprow:
    """Prompts, Generate and the small buttons beside them."""

    def __init__(
        self, is_img2img: bool, is_compact: bool = False, id_part: str | None = None
    ) -> None:
        self.id_part = id_part or ("img2img" if is_img2img else "txt2img")
        self.is_compact = is_compact
        self.button_interrogate: Any = None
        self.button_deepbooru: Any = None
        self.ui_styles: Any = None
        if not is_compact:
            self.create_classic_toprow()
        else:
            self.create_submit_box()

    def create_classic_toprow(self) -> None:
        """All of it."""
        with gr.Row(elem_id=f"{self.id_part}_toprow", variant="compact"):
            self.create_prompts()
            with gr.Column(scale=1, elem_id=f"{self.id_part}_actions_column"):
                self.create_submit_box()
                self.create_tools_row()
                self.create_styles_ui()

    def create_inline_toprow_prompts(self) -> None:
        """The texts and the small buttons, where the row is compact."""
        if self.is_compact:
            self.create_prompts()
            with gr.Row(elem_classes=["toprow-compact-stylerow"]):
                self.create_tools_row()
                self.create_styles_ui()

    def create_inline_toprow_image(self) -> None:
        """The buttons above the results, where the row is compact: they are there already."""

    def create_styles_ui(self) -> None:
        """The list of styles."""
        self.ui_styles = SimpleNamespace(
            dropdown=gr.Dropdown(
                label="Styles",
                show_label=False,
                elem_id=f"{self.id_part}_styles",
                choices=list(shared.prompt_styles.styles),
                value=[],
                multiselect=True,
            ),
            setup_apply_button=lambda button: None,
        )

    def create_prompts(self) -> None:
        """The two texts."""
        with gr.Column(elem_id=f"{self.id_part}_prompt_container", scale=6):
            self.prompt = gr.Textbox(
                label="Prompt", elem_id=f"{self.id_part}_prompt", lines=3, show_label=False
            )
            self.negative_prompt = gr.Textbox(
                label="Negative prompt",
                elem_id=f"{self.id_part}_neg_prompt",
                lines=3,
                show_label=False,
            )

    def create_submit_box(self) -> None:
        """Generate, and what ends it."""
        with gr.Row(elem_id=f"{self.id_part}_generate_box"):
            self.interrupt = gr.Button("Interrupt", elem_id=f"{self.id_part}_interrupt")
            self.skip = gr.Button("Skip", elem_id=f"{self.id_part}_skip")
            self.submit = gr.Button(
                "Generate", elem_id=f"{self.id_part}_generate", variant="primary"
            )

    def create_tools_row(self) -> None:
        """The small buttons."""
        with gr.Row(elem_id=f"{self.id_part}_tools"):
            self.paste = ui_components.ToolButton(value="\u2199\ufe0f", elem_id="paste")
            self.clear_prompt_button = ui_components.ToolButton(
                value="\U0001f5d1\ufe0f", elem_id=f"{self.id_part}_clear_prompt"
            )
            self.apply_styles = ui_components.ToolButton(
                value="\U0001f4cb", elem_id=f"{self.id_part}_style_apply"
            )
            self.token_counter = gr.HTML(
                value="", elem_id=f"{self.id_part}_token_counter", visible=False
            )
            self.negative_token_counter = gr.HTML(
                value="", elem_id=f"{self.id_part}_negative_token_counter", visible=False
            )


__getattr__ = unprovided(__name__)
