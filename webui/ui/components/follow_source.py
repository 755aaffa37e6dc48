"""A new source picture sets width and height; nothing else does, so they can be changed after."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import gradio as gr
from PIL import Image

from webui.core.errors import NotFound, UnreadablePicture
from webui.imaging.upload import open_header
from webui.ui.components.size import Size, size_for
from webui.ui.form import Values
from webui.ui.page import Page

ORIENTATION: Final = 0x0112
ON_ITS_SIDE: Final = (5, 6, 7, 8)
"""EXIF orientations of a picture that is turned by a quarter before it is shown."""


def follow_source(page: Page, size: Size, source: gr.Image | gr.ImageEditor) -> None:
    """Wire it. A file that can't be read changes nothing here; Generate says what is wrong."""

    def follow(values: Values) -> Any:
        try:
            pixels = size_of(values[source])
            model = page.studio.catalog.find(values[page.checkpoint])
        except (UnreadablePicture, NotFound, OSError):
            return gr.skip()
        if pixels is None:
            return gr.skip()
        width, height = size_for(pixels, page.studio.defaults(model))
        return {size.width: width, size.height: height}

    source.upload(
        follow,
        {source, page.checkpoint},
        [size.width, size.height],
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )


def size_of(value: Any) -> tuple[int, int] | None:
    """The size, upright, of the picture in a control; None while there is none.

    Raises UnreadablePicture or OSError.
    """
    data = value["background"] if isinstance(value, dict) else value and Path(value).read_bytes()
    return _upright_size(open_header(data)) if data else None


def _upright_size(picture: Image.Image) -> tuple[int, int]:
    width, height = picture.size
    turned = picture.getexif().get(ORIENTATION) in ON_ITS_SIDE
    return (height, width) if turned else (width, height)
