"""The picture an img2img job starts from, and how it is changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import gradio as gr
from gradio.components import Component
from gradio.processing_utils import save_bytes_to_cache
from PIL import Image

from webui.core.errors import InvalidRequest, NotFound, UnreadablePicture
from webui.core.request import InputId, Mode, ResizeMode
from webui.imaging.sketch import sketched
from webui.imaging.upload import media_type, open_upload
from webui.studio import Studio
from webui.ui.caller import who_asks
from webui.ui.components.choice import tick
from webui.ui.components.follow_source import size_of
from webui.ui.components.group import At, group, plain
from webui.ui.components.size import side_of
from webui.ui.components.slider import own_slider
from webui.ui.controls import Canvas, PicturePlace, Slider
from webui.ui.fields import default_of
from webui.ui.form import Form
from webui.ui.page import Page

FIELD: Final = "source.image"
SCALES: Final = (0.05, 4.0)
COLOURS: Final = (
    "#1c1c20",
    "#ffffff",
    "#d92d20",
    "#f5a524",
    "#178a4c",
    "#2563eb",
    "#7c3aed",
    "#8b5a2b",
)
Painting = Mapping[str, Any]
"""What a canvas gives: "background" as bytes or None, "layers" as a list of bytes."""
RESIZE_LABELS: Final = (
    ("Just resize", ResizeMode.STRETCH),
    ("Crop and resize", ResizeMode.CROP),
    ("Resize and fill", ResizeMode.FILL),
    ("Just resize (latent upscale)", ResizeMode.LATENT),
)
WORDS: Final = (
    ("source.noise_multiplier", "noise"),
    ("source.extra_noise", "extra noise"),
    ("source.image_guidance", "image CFG"),
    ("mask.conditioning_strength", "mask strength"),
)
"""The numbers that the title names while they differ from their defaults."""


def source_picture(studio: Studio, form: Form) -> PicturePlace:
    """A place for the picture: drop, paste or choose it. The file is kept as it came."""
    picture = picture_place("Source picture", "img2img_image", height=240)
    sketch = _sketch(picture)
    form.bind(
        FIELD,
        picture,
        sketch,
        read=_taker(studio),
        show=shower(studio, picture),
        blank=None,
        also={sketch: None},
    )
    return picture


def source_controls(form: Form) -> None:
    """How strongly the picture is changed, and how it is brought to another shape."""
    own_slider(form, "source.denoising_strength", "Denoising strength", "denoising_strength")
    resize = gr.Dropdown(
        [(label, mode.value) for label, mode in RESIZE_LABELS],
        value=ResizeMode.STRETCH.value,
        label="Resize mode",
        elem_id="resize_mode" if form.mode == Mode.IMG2IMG else f"{form.mode}_resize_mode",
        elem_classes="gesso-line",
    )
    form.bind("source.resize_mode", resize, blank=ResizeMode.STRETCH.value)


def source_extras(_: Page, form: Form) -> None:
    """What is seldom changed about the way from the source to the result, closed away."""
    with group(form, "Source extras", f"{form.mode}_source_extras", _words):
        _scale(form)
        tick(form, "source.color_correction", "Color correction", "color_correction")
        tick(form, "source.exact_steps", "Do exactly the number of steps", "fix_steps")
        own_slider(form, "source.noise_multiplier", "Noise multiplier", "initial_noise_multiplier")
        own_slider(form, "source.extra_noise", "Extra noise", "extra_noise")
        own_slider(form, "source.image_guidance", "Image CFG scale", "image_cfg_scale")
        if form.mode == Mode.INPAINT:
            own_slider(
                form,
                "mask.conditioning_strength",
                "Conditioning mask strength",
                "inpainting_mask_weight",
            )


def _scale(form: Form) -> None:
    """A factor of the source's own size; letting it go sets width and height."""
    scale = Slider(
        SCALES[0],
        SCALES[1],
        value=1,
        step=0.05,
        label="Scale by",
        elem_id=f"{form.mode}_scale",
        min_width=120,
        buttons=[],
    )
    source = form.component(FIELD)
    size = [form.component("width"), form.component("height")]

    def scaled(picture: Any, factor: float | None) -> Any:
        try:
            pixels = size_of(picture)
        except (UnreadablePicture, OSError):
            pixels = None  # Generate says what is wrong with the file
        if pixels is None or not factor:
            return gr.skip(), gr.skip()
        return tuple(side_of(pixel * factor) for pixel in pixels)

    scale.release(
        scaled,
        [source, scale],
        size,
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )


def _words(at: At) -> list[str]:
    found = []
    if at["source.color_correction"]:
        found.append("color correction")
    if at["source.exact_steps"]:
        found.append("exact steps")
    for path, word in WORDS:
        if path in at and at[path] != default_of(path):
            found.append(f"{word} {plain(at[path] or 0)}")
    return found


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
        return studio.inputs.add(data, who_asks().id)
    except UnreadablePicture as error:
        raise InvalidRequest(field, str(error)) from error


def shower(studio: Studio, component: Component) -> Callable[[InputId], object]:
    """What shows a picture of the input store in `component`; an empty place if it is gone."""

    def show(id: InputId) -> object:
        if not studio.inputs.is_of(id, who_asks().id):
            return None
        try:
            return lend(studio.inputs.path(id), component)
        except NotFound:
            return None

    return show


def lend(path: Path, component: Component) -> str:
    """A copy of a file where Gradio may serve it from; its own folder stays closed to Gradio."""
    data = path.read_bytes()
    # Gradio hands a file to whoever knows its path, so the path must not follow from the picture's
    # id, which recipes tell: this puts the copy where only a secret of this installation leads.
    name = f"picture.{media_type(data)[6:]}"
    return str(save_bytes_to_cache(data, name, component.GRADIO_CACHE))


def _sketch(picture: PicturePlace) -> Canvas:
    """A canvas for strokes of colour. While there is a picture on it, it is the source."""
    with gr.Accordion(
        "Sketch", open=False, elem_id="img2img_sketch_accordion", elem_classes="gesso-group"
    ):
        gr.Markdown("Draw with colours. While there is a picture here, it is the source.")
        with gr.Row(elem_classes="gesso-chips"):
            take = gr.Button("Take the source picture", size="sm", elem_id="img2img_sketch_take")
        canvas = Canvas(
            label="Sketch",
            type="pil",
            format="png",
            sources=("upload",),
            placeholder="Drop a picture here or take the source picture",
            layers=False,
            transforms=(),
            brush=gr.Brush(colors=list(COLOURS), default_color=COLOURS[0]),
            height=360,
            buttons=[],
            elem_id="img2img_sketch",
            elem_classes="gesso-canvas",
        )
    take.click(
        lambda path: {"background": path, "layers": [], "composite": None} if path else None,
        [picture],
        [canvas],
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )
    return canvas


def on_canvas(path: Path) -> Painting:
    """A file as a canvas gives it before anything is painted."""
    return {"background": path.read_bytes(), "layers": []}


def has_picture(value: Painting | str | None) -> bool:
    """Whether there is a picture in a place for one, or on a canvas."""
    return bool(value["background"] if isinstance(value, Mapping) else value)


def drawn(canvas: Painting) -> Image.Image:
    """The picture on a canvas with the strokes on it. Raises InvalidRequest."""
    return sketched(opened(canvas["background"], FIELD), strokes(canvas))


def strokes(canvas: Painting) -> list[Image.Image]:
    """The layers of strokes on a canvas. Raises InvalidRequest."""
    return [opened(layer, FIELD) for layer in canvas["layers"]]


def opened(data: bytes, field: str) -> Image.Image:
    """A picture that came from the browser. Raises InvalidRequest for `field`."""
    try:
        return open_upload(data)
    except UnreadablePicture as error:
        raise InvalidRequest(field, str(error)) from error


def _taker(studio: Studio) -> Callable[[str | None, Painting | None], InputId]:
    def take(path: str | None, canvas: Painting | None) -> InputId:
        if canvas and canvas["background"] is not None:
            return studio.inputs.add_image(drawn(canvas), who_asks().id)
        if not path:
            raise InvalidRequest(FIELD, "There is no source picture. Drop one or choose a file.")
        return keep_upload(studio, FIELD, Path(path).read_bytes())

    return take
