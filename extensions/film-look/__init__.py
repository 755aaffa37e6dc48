"""Grain, vignette and faded colours. The grain comes from the picture's seed: the same again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from webui.extend import ImageItem, Mode, Page, Preprocessor, Slider, Tab, Toggle, hook

TABS = (Mode.TXT2IMG, Mode.IMG2IMG, Mode.INPAINT, Mode.EXTRAS)
INPUTS = [
    Toggle("enabled", "Film look", tabs=TABS),
    Slider("grain", "Grain", 0.3, tabs=TABS),
    Slider("vignette", "Vignette", 0.3, tabs=TABS),
    Slider("fade", "Faded colours", 0.2, tabs=TABS),
]


@hook
def image_post(item: ImageItem, inputs: SimpleNamespace) -> Image.Image:
    """Over each painted picture."""
    return developed(item.image, item.recipe.seed, inputs.grain, inputs.vignette, inputs.fade)


@hook
def extras_op(item: ImageItem, inputs: SimpleNamespace) -> Image.Image:
    """Over each picture of the Extras tab."""
    return developed(item.image, item.recipe.seed, inputs.grain, inputs.vignette, inputs.fade)


@hook
def register_tabs(register: Callable[[Tab], None]) -> None:
    """A place to try it on any picture."""
    register(Tab(title="Film look", build=_draw))


@hook
def register_preprocessors(register: Callable[[Preprocessor], None]) -> None:
    """A start for img2img without the colours of the source."""
    inputs = [Slider("contrast", "Contrast", 1.0, low=0.5, high=2.0)]
    register(Preprocessor(id="monochrome", label="Black and white", run=monochrome, inputs=inputs))


def monochrome(image: Image.Image, inputs: Mapping[str, Any]) -> Image.Image:
    """Without colours, the tones stretched over the whole range."""
    grey = ImageOps.autocontrast(image.convert("L"))
    return ImageEnhance.Contrast(grey).enhance(inputs["contrast"])


def developed(
    image: Image.Image, seed: int, grain: float, vignette: float, fade: float
) -> Image.Image:
    """The picture with each effect from 0 (none) to 1. RGB in and out."""
    pixels = np.asarray(image.convert("RGB"), dtype=np.float32) / 255
    pixels = pixels * (1 - 0.35 * fade) + 0.12 * fade
    pixels += 0.25 * grain * _grain(image.size, seed)[..., None]
    pixels *= 1 - 0.8 * vignette * _from_centre(image.size)[..., None]
    return Image.fromarray((pixels.clip(0, 1) * 255).round().astype(np.uint8))


def _grain(size: tuple[int, int], seed: int) -> np.ndarray:
    """(H, W), spread 1 before it is softened; twice the size of a pixel, as film has it."""
    noise = np.random.default_rng(seed).normal(0.5, 0.2, (size[1], size[0])).clip(0, 1)
    soft = Image.fromarray((noise * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.7))
    return np.asarray(soft, dtype=np.float32) / 255 - 0.5


def _from_centre(size: tuple[int, int]) -> np.ndarray:
    """(H, W): 0 in the middle, 1 in the corners, growing with the square of the way."""
    x, y = np.linspace(-1, 1, size[0]), np.linspace(-1, 1, size[1])
    squares: np.ndarray = (x[None, :] ** 2 + y[:, None] ** 2) / 2
    return squares.astype(np.float32)


def _draw(page: Page) -> None:
    import gradio as gr

    with gr.Row():
        source = gr.Image(label="Picture", type="pil", elem_id="film_look_source")
        result = gr.Image(label="Developed", type="pil", elem_id="film_look_result")
    sliders = [gr.Slider(0, 1, part.default, label=part.label, step=0.01) for part in INPUTS[1:]]

    def develop(image: Image.Image | None, *values: float) -> Image.Image | None:
        return None if image is None else developed(image, 1, *values)

    gr.Button("Develop", variant="primary", elem_id="film_look_develop").click(
        develop, [source, *sliders], result, api_visibility="private"
    )
    page.send(result, Mode.IMG2IMG)
