"""What an extension is given to draw with: its settings, and buttons that send a picture on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import gradio as gr
from PIL import Image

from webui.core.errors import GessoError, InvalidRequest
from webui.core.person import Role
from webui.core.request import Mode
from webui.extend.inputs import Input
from webui.extend.manifest import DeclaredTab
from webui.extend.registered import Answer
from webui.imaging.upload import open_upload
from webui.ui.caller import must_be
from webui.ui.declared_tab import draw_declared
from webui.ui.page import Page

NAMES: Final[Mapping[Mode, str]] = MappingProxyType(
    {Mode.IMG2IMG: "img2img", Mode.INPAINT: "Inpaint", Mode.EXTRAS: "Extras"}
)


class ExtensionPage:
    """`webui.extend.Page` for one extension."""

    def __init__(self, page: Page, id: str) -> None:
        self._studio: Final = page.studio
        self._id: Final = id

    @property
    def settings(self) -> Mapping[str, Any]:
        """The extension's own settings, as they are now."""
        return self._studio.extensions.settings(self._id)

    def draw_declared(self, tab: DeclaredTab, inputs: Sequence[Input], answer: Answer) -> None:
        """Draw a tab that extension.toml declares."""
        draw_declared(self._id, tab, inputs, answer)

    def send(self, image: Any, mode: Mode) -> None:
        """Draw a button that sends the picture of a gr.Image or gr.Gallery to a tab."""
        answer = gr.Textbox(visible="hidden", label="Answer")
        button = gr.Button(f"Send to {NAMES[Mode(mode)]}", size="sm")

        def keep(value: Any) -> str:
            try:
                picture = _picture(value)
                id = self._studio.inputs.add_image(picture, must_be(Role.ARTIST).id)
            except GessoError as error:
                return json.dumps({"fault": str(error)})
            return json.dumps({"input": id, "source_of": mode})

        quiet: dict[str, Any] = {"queue": False, "api_visibility": "private"}
        button.click(keep, [image], [answer], show_progress="hidden", **quiet).then(
            None, [answer], None, js="(answer) => gesso.sent(answer)", **quiet
        )


def _picture(value: Any) -> Image.Image:
    """The picture of a control, whatever its type; the first of several. Raises InvalidRequest, or
    UnreadablePicture."""
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, tuple) and value:
        value = value[0]
    if isinstance(value, Image.Image):
        return value
    if isinstance(value, str | Path) and value:
        return open_upload(Path(value).read_bytes())
    if hasattr(value, "shape"):
        return Image.fromarray(value)
    raise InvalidRequest("image", "There is no picture to send. Make or choose one.")
