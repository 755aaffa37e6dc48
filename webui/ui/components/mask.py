"""Painting a mask on a picture, or bringing one, and what is done with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import gradio as gr
from PIL import Image, ImageChops

from webui.core.errors import InvalidRequest, UnreadablePicture
from webui.core.request import InputId, Mask, MaskArea
from webui.imaging.fit import flatten
from webui.imaging.upload import open_upload
from webui.studio import Studio
from webui.ui.components.slider import slider
from webui.ui.components.source import FIELD, keep_upload, picture_place, shower
from webui.ui.controls import Canvas
from webui.ui.form import Form

MASK_FIELD: Final = "mask.image"
INK: Final = "#4f46e5"
INK_OPACITY: Final = 0.65
PAINTED: Final = 64
"""From this alpha (of 255) on, a pixel counts as painted; below it is the soft rim of the brush."""

Painting = Mapping[str, Any]
"""What the editor gives: "background" as bytes or None, "layers" as a list of bytes."""


def mask_canvas(studio: Studio, form: Form) -> Canvas:
    """The picture to paint on, with brush, eraser and undo; and a place for a mask file."""
    editor = _editor()
    with gr.Accordion("Use a mask file", open=False, elem_id="inpaint_mask_accordion"):
        upload = picture_place("White is painted anew", "img_inpaint_mask", height=180)
    form.bind(
        FIELD,
        editor,
        read=lambda canvas: _background(studio, canvas),
        show=lambda id: _canvas_of(shower(studio, editor)(id)),
        blank=None,
    )
    form.bind(
        MASK_FIELD,
        upload,
        editor,
        read=lambda path, canvas: _mask(studio, path, canvas),
        show=shower(studio, upload),
        blank=None,
    )
    return editor


def mask_controls(form: Form) -> None:
    """Blur, what to paint, and how much of the picture to work on."""
    plain = Mask(image=InputId(""))
    slider(form, "mask.blur", "Mask blur", plain.blur, "img2img_mask_blur")
    inverted = gr.Radio(
        [("Inpaint masked", False), ("Inpaint not masked", True)],
        value=plain.inverted,
        label="Mask mode",
        elem_id="img2img_mask_mode",
        elem_classes="gesso-choices gesso-line",
    )
    area = gr.Radio(
        [("Whole picture", MaskArea.WHOLE.value), ("Only masked", MaskArea.MASKED.value)],
        value=plain.area.value,
        label="Inpaint area",
        elem_id="img2img_inpaint_full_res",
        elem_classes="gesso-choices gesso-line",
    )
    slider(
        form,
        "mask.padding",
        "Only masked padding",
        plain.padding,
        "img2img_inpaint_full_res_padding",
    )
    form.bind("mask.inverted", inverted)
    form.bind("mask.area", area)


def _editor() -> Canvas:
    return Canvas(
        label="Picture and mask",
        type="pil",
        format="png",
        sources=("upload",),
        placeholder="Drop or paste a picture here\nor click to choose a file",
        layers=False,
        transforms=(),
        brush=gr.Brush(
            colors=[(INK, INK_OPACITY)], default_color=(INK, INK_OPACITY), color_mode="fixed"
        ),
        height=360,
        buttons=[],
        elem_id="img2maskimg",
    )


def _background(studio: Studio, canvas: Painting | None) -> InputId:
    if not canvas or canvas["background"] is None:
        raise InvalidRequest(FIELD, "There is no picture. Drop one or choose a file.")
    return keep_upload(studio, FIELD, canvas["background"])


def _mask(studio: Studio, path: str | None, canvas: Painting | None) -> InputId:
    """The mask file, with what was painted added to it."""
    painted = _painted(canvas)
    if not path:
        return studio.inputs.add_image(painted)
    brought = flatten(_opened(Path(path).read_bytes(), MASK_FIELD)).convert("L")
    return studio.inputs.add_image(ImageChops.lighter(brought.resize(painted.size), painted))


def _painted(canvas: Painting | None) -> Image.Image:
    """White where a stroke lies, at the size of the picture."""
    if not canvas or canvas["background"] is None:
        raise InvalidRequest(FIELD, "There is no picture. Drop one or choose a file.")
    mask = Image.new("L", _opened(canvas["background"], FIELD).size)
    for layer in canvas["layers"]:
        alpha = _opened(layer, MASK_FIELD).convert("RGBA").getchannel("A").resize(mask.size)
        mask = ImageChops.lighter(mask, alpha.point(lambda a: 255 if a >= PAINTED else 0))
    return mask


def _opened(data: bytes, field: str) -> Image.Image:
    try:
        return open_upload(data)
    except UnreadablePicture as error:
        raise InvalidRequest(field, str(error)) from error


def _canvas_of(background: object) -> dict[str, object] | None:
    return {"background": background, "layers": [], "composite": None} if background else None
