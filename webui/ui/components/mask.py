"""Painting a mask on a picture, or bringing one, and what is done with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import gradio as gr
from PIL import Image, ImageChops

from webui.core.errors import InvalidRequest
from webui.core.request import InputId, MaskArea, MaskContent
from webui.imaging.fit import flatten
from webui.imaging.sketch import sketch_mask
from webui.studio import Studio
from webui.ui.caller import who_asks
from webui.ui.components.choice import part
from webui.ui.components.group import At, group
from webui.ui.components.slider import own_slider
from webui.ui.components.source import (
    COLOURS,
    FIELD,
    Painting,
    drawn,
    keep_upload,
    opened,
    picture_place,
    shower,
    strokes,
)
from webui.ui.controls import Canvas
from webui.ui.fields import default_of
from webui.ui.form import Form
from webui.ui.page import Page

MASK_FIELD: Final = "mask.image"
INK: Final = "#4f46e5"
INK_OPACITY: Final = 0.65
PAINTED: Final = 64
"""From this alpha (of 255) on, a pixel counts as painted; below it is the soft rim of the brush."""
CONTENTS: Final = (
    ("fill", MaskContent.FILL.value),
    ("original", MaskContent.ORIGINAL.value),
    ("latent noise", MaskContent.NOISE.value),
    ("latent nothing", MaskContent.NOTHING.value),
)
SOFT: Final = (
    ("schedule_bias", "Schedule bias"),
    ("preservation_strength", "Preservation strength"),
    ("transition_contrast", "Transition contrast boost"),
    ("mask_influence", "Mask influence"),
    ("difference_threshold", "Difference threshold"),
    ("difference_contrast", "Difference contrast"),
)


def mask_canvas(studio: Studio, form: Form) -> gr.ImageEditor:
    """The picture to paint on, with brush, eraser and undo; and a place for a mask file."""
    editor = _editor()
    colours = gr.Checkbox(
        False,
        label="Inpaint sketch: the colours of the strokes count",
        elem_id="inpaint_sketch",
    )
    form.bind(
        FIELD,
        editor,
        colours,
        read=lambda canvas, is_sketch: _background(studio, canvas, is_sketch),
        show=lambda id: _canvas_of(shower(studio, editor)(id)),
        blank=None,
        also={colours: False},
    )
    with group(form, "Use a mask file", "inpaint_mask_accordion", _mask_words):
        upload = picture_place("White is painted anew", "img_inpaint_mask", height=180)
        form.bind(
            MASK_FIELD,
            upload,
            editor,
            colours,
            read=lambda path, canvas, is_sketch: _mask(studio, path, canvas, is_sketch),
            show=shower(studio, upload),
            blank=None,
        )
    form.needs("mask", MASK_FIELD)
    return editor


def mask_controls(form: Form) -> None:
    """Blur, what to paint, from what, and how much of the picture to work on."""
    own_slider(form, "mask.blur", "Mask blur", "img2img_mask_blur")
    _choices(
        form,
        "mask.inverted",
        "Mask mode",
        [("Inpaint masked", False), ("Inpaint not masked", True)],
        "img2img_mask_mode",
    )
    _choices(form, "mask.content", "Masked content", CONTENTS, "img2img_inpainting_fill")
    areas = [("Whole picture", MaskArea.WHOLE.value), ("Only masked", MaskArea.MASKED.value)]
    _choices(form, "mask.area", "Inpaint area", areas, "img2img_inpaint_full_res")
    own_slider(form, "mask.padding", "Only masked padding", "img2img_inpaint_full_res_padding")


def _mask_words(at: At) -> list[str]:
    """A restored mask lies here, not on the canvas; strokes are added to it."""
    return ["in use, strokes add to it"] if at[MASK_FIELD] else []


def soft_controls(_: Page, form: Form) -> None:
    """Soft inpainting, closed away and off."""

    def words(at: At) -> list[str]:
        return ["on"] if at["mask.soft"] else []

    with (
        group(form, "Soft inpainting", "inpaint_soft", words),
        part(form, "mask.soft", "Use soft inpainting", "soft_inpainting_enabled"),
    ):
        for name, label in SOFT:
            own_slider(form, f"mask.soft.{name}", label, f"soft_{name}")


def _choices(
    form: Form, path: str, label: str, choices: Sequence[tuple[str, str | bool]], elem_id: str
) -> None:
    value = default_of(path)
    control = gr.Radio(
        list(choices),
        value=value,
        label=label,
        elem_id=elem_id,
        elem_classes="gesso-choices gesso-line",
    )
    form.bind(path, control, blank=value)


def _editor() -> Canvas:
    ink = (INK, INK_OPACITY)
    return Canvas(
        label="Picture and mask",
        type="pil",
        format="png",
        sources=("upload",),
        placeholder="Drop or paste a picture here\nor click to choose a file",
        layers=False,
        transforms=(),
        brush=gr.Brush(colors=[ink, *COLOURS], default_color=ink),
        height=360,
        buttons=[],
        elem_id="img2maskimg",
        elem_classes="gesso-canvas",
    )


def _background(studio: Studio, canvas: Painting | None, is_sketch: bool) -> InputId:
    canvas = _filled(canvas)
    if is_sketch:
        return studio.inputs.add_image(drawn(canvas), who_asks().id)
    return keep_upload(studio, FIELD, canvas["background"])


def _mask(
    studio: Studio, path: str | None, canvas: Painting | None, is_sketch: bool
) -> InputId | None:
    """The mask file, with what was painted added to it; None while there is neither. Without
    strokes the file is kept as it came, so that a restored job asks for the same again."""
    painted = _painted(_filled(canvas), is_sketch)
    if not path:
        return studio.inputs.add_image(painted, who_asks().id) if painted.getbbox() else None
    if not painted.getbbox():
        return keep_upload(studio, MASK_FIELD, Path(path).read_bytes())
    brought = flatten(opened(Path(path).read_bytes(), MASK_FIELD)).convert("L")
    both = ImageChops.lighter(brought.resize(painted.size), painted)
    return studio.inputs.add_image(both, who_asks().id)


def _painted(canvas: Painting, is_sketch: bool) -> Image.Image:
    """White where a stroke lies, at the size of the picture."""
    size = opened(canvas["background"], FIELD).size
    if is_sketch:
        return sketch_mask(strokes(canvas), size)
    mask = Image.new("L", size)
    for layer in strokes(canvas):
        alpha = layer.convert("RGBA").getchannel("A").resize(size)
        mask = ImageChops.lighter(mask, alpha.point(lambda a: 255 if a >= PAINTED else 0))
    return mask


def _filled(canvas: Painting | None) -> Painting:
    if not canvas or canvas["background"] is None:
        raise InvalidRequest(FIELD, "There is no picture. Drop one or choose a file.")
    return canvas


def _canvas_of(background: object) -> dict[str, object] | None:
    return {"background": background, "layers": [], "composite": None} if background else None
