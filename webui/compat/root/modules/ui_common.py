"""Parts that several tabs have: pictures with their text, refresh buttons, dialogs."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from modules import infotext_utils
from modules.ui_components import ToolButton
from webui.compat.missing import unprovided

folder_symbol = "\U0001f4c2"
refresh_symbol = "\U0001f504"


def plaintext_to_html(text: str, classname: str | None = None) -> str:
    """The text as a paragraph, its lines apart."""
    lines = "<br>\n".join(html.escape(line) for line in text.split("\n"))
    return f"<p class='{classname}'>{lines}</p>" if classname else f"<p>{lines}</p>"


infotext_to_html = plaintext_to_html


def update_generation_info(generation_info: str, html_info: str, img_index: Any) -> tuple[Any, Any]:
    """The text of the picture that is looked at: HTML, and the place in the list."""
    try:
        texts = json.loads(generation_info)["infotexts"]
        place = int(img_index)
        if 0 <= place < len(texts):
            return plaintext_to_html(texts[place]), gr.update()
    except (ValueError, KeyError, TypeError):
        pass
    return html_info, gr.update()


def save_files(js_data: str, images: Any, do_make_zip: bool, index: Any) -> tuple[Any, ...]:
    """Pictures are saved when they are made: nothing is left to do."""
    return gr.update(), plaintext_to_html("Pictures are saved when they are made.")


@dataclass(eq=False)
class OutputPanel:
    """The parts of a panel of pictures. Taken apart it gives what older versions gave."""

    gallery: Any = None
    generation_info: Any = None
    infotext: Any = None
    html_log: Any = None
    button_upscale: Any = None

    def __iter__(self) -> Iterator[Any]:
        """Gallery, text as JSON, text as HTML, and what happened."""
        return iter((self.gallery, self.generation_info, self.infotext, self.html_log))


def create_output_panel(tabname: str, outdir: str, toprow: Any = None) -> OutputPanel:
    """Draw a place for pictures, with buttons that send one to another tab."""
    panel = OutputPanel()
    with (
        gr.Column(variant="panel", elem_id=f"{tabname}_results_panel"),
        gr.Group(elem_id=f"{tabname}_gallery_container"),
    ):
        panel.gallery = gr.Gallery(
            label="Output",
            show_label=False,
            elem_id=f"{tabname}_gallery",
            columns=4,
            preview=True,
        )
    with gr.Row(elem_id=f"image_buttons_{tabname}", elem_classes=["image-buttons"]):
        buttons = infotext_utils.create_buttons(["img2img", "inpaint", "extras"])
    with gr.Group():
        panel.infotext = gr.HTML(elem_id=f"html_info_{tabname}", elem_classes=["infotext"])
        panel.html_log = gr.HTML(elem_id=f"html_log_{tabname}", elem_classes=["html-log"])
        panel.generation_info = gr.Textbox(visible=False, elem_id=f"generation_info_{tabname}")
    for target, button in buttons.items():
        infotext_utils.register_paste_params_button(
            infotext_utils.ParamBinding(
                paste_button=button,
                tabname=target,
                source_tabname="txt2img" if tabname == "txt2img" else None,
                source_image_component=panel.gallery,
            )
        )
    return panel


def create_refresh_button(
    refresh_component: Any,
    refresh_method: Callable[[], Any],
    refreshed_args: Any,
    elem_id: str,
) -> Any:
    """A button that looks anew for what a list offers."""
    several = isinstance(refresh_component, list)
    components = refresh_component if several else [refresh_component]

    def refresh() -> Any:
        refresh_method()
        told = refreshed_args() if callable(refreshed_args) else refreshed_args
        updates = [gr.update(**(told or {})) for _ in components]
        return updates if several else updates[0]

    button = ToolButton(value=refresh_symbol, elem_id=elem_id)
    button.click(fn=refresh, inputs=[], outputs=components)
    return button


def setup_dialog(button_show: Any, dialog: Any, *, button_close: Any = None) -> None:
    """Let a button show a group that is hidden, and another one hide it."""
    button_show.click(fn=lambda: gr.update(visible=True), inputs=[], outputs=[dialog])
    if button_close is not None:
        button_close.click(fn=lambda: gr.update(visible=False), inputs=[], outputs=[dialog])


def open_folder(path: str, images: Any = None, index: Any = None) -> None:
    """Folders aren't opened on the server's screen; the page shows pictures under History."""
    if not os.path.isdir(path):
        raise NotADirectoryError(f"There is no folder {path}.")


__getattr__ = unprovided(__name__)
