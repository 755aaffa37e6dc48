"""The picture an img2img job starts from, and how strongly it is changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import gradio as gr
from gradio.components import Component

from webui.core.errors import InvalidRequest, NotFound, UnreadablePicture
from webui.core.request import InputId, Mode, ResizeMode, Source
from webui.imaging.upload import media_type
from webui.studio import Studio
from webui.ui.components.slider import slider
from webui.ui.controls import PicturePlace
from webui.ui.form import Form

FIELD: Final = "source.image"
RESIZE_LABELS: Final = (
    ("Just resize", ResizeMode.STRETCH),
    ("Crop and resize", ResizeMode.CROP),
    ("Resize and fill", ResizeMode.FILL),
    ("Just resize (latent upscale)", ResizeMode.LATENT),
)


def source_picture(studio: Studio, form: Form) -> PicturePlace:
    """A place for the picture: drop, paste or choose it. The file is kept as it came."""
    picture = picture_place("Source picture", "img2img_image", height=240)
    form.bind(FIELD, picture, read=_taker(studio), show=shower(studio, picture))
    return picture


def source_controls(form: Form) -> None:
    """How strongly the picture is changed, and how it is brought to another shape."""
    slider(
        form,
        "source.denoising_strength",
        "Denoising strength",
        Source(image=InputId("")).denoising_strength,
        "denoising_strength",
    )
    resize = gr.Dropdown(
        [(label, mode.value) for label, mode in RESIZE_LABELS],
        value=ResizeMode.STRETCH.value,
        label="Resize mode",
        elem_id="resize_mode" if form.mode == Mode.IMG2IMG else f"{form.mode}_resize_mode",
        elem_classes="gesso-line",
    )
    form.bind("source.resize_mode", resize)


def picture_place(label: str, elem_id: str, height: int) -> PicturePlace:
    """A place for a picture file."""
    return PicturePlace(
        label=label,
        type="filepath",
        image_mode=None,
        sources=["upload"],  # pasting is the client's: it works wherever the focus is
        placeholder="Drop or paste a picture here\nor click to choose a file",
        height=height,
        buttons=[],
        elem_id=elem_id,
        elem_classes="gesso-source",
    )


def keep_upload(studio: Studio, field: str, data: bytes) -> InputId:
    """Put an uploaded file into the input store. Raises InvalidRequest for `field`."""
    try:
        return studio.inputs.add(data)
    except UnreadablePicture as error:
        raise InvalidRequest(field, str(error)) from error


def shower(studio: Studio, component: Component) -> Callable[[InputId], object]:
    """What shows a picture of the input store in `component`; an empty place if it is gone."""

    def show(id: InputId) -> object:
        try:
            return lend(studio.inputs.path(id), component)
        except NotFound:
            return None

    return show


def lend(path: Path, component: Component) -> str:
    """A copy of a file where Gradio may serve it from; its own folder stays closed to Gradio."""
    data = path.read_bytes()
    copy = Path(component.GRADIO_CACHE) / path.stem / f"picture.{media_type(data)[6:]}"
    if not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(data)
    return str(copy)


def _taker(studio: Studio) -> Callable[[str | None], InputId]:
    def take(path: str | None) -> InputId:
        if not path:
            raise InvalidRequest(FIELD, "There is no source picture. Drop one or choose a file.")
        return keep_upload(studio, FIELD, Path(path).read_bytes())

    return take
