"""From controls to a request and back: what a person sets is what is asked for."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gradio.components import Component
from PIL import Image, ImageDraw

from tests.conftest import png
from tests.ui.parts import forms_of
from webui.core.errors import InvalidRequest
from webui.core.request import (
    GenerationRequest,
    Mask,
    MaskArea,
    Mode,
    ResizeMode,
    Sampling,
    Source,
)
from webui.studio import Studio
from webui.ui.form import Form

QUICK = Sampling(sampler="euler", schedule="uniform", steps=4, guidance_scale=1.0, clip_skip=1)


@pytest.fixture
def forms(idle_studio: Studio) -> dict[str, Form]:
    return forms_of(idle_studio)


def typed(form: Form, **changes: Any) -> dict[Component, Any]:
    """The values of the form's controls as they stand at first, some changed by element id."""
    values = {part: getattr(part, "value", None) for part in form.inputs}
    by_id = {part.elem_id: part for part in form.inputs}
    return values | {by_id[name]: value for name, value in changes.items()}


def canvas(background: bytes, strokes: Image.Image | None) -> dict[str, Any]:
    """What the mask editor gives."""
    buffer = io.BytesIO()
    if strokes is not None:
        strokes.save(buffer, "PNG")
    layers = [buffer.getvalue()] if strokes is not None else []
    return {"background": background, "layers": layers, "composite": None}


def stroke(width: int, height: int) -> Image.Image:
    """A layer of ink, half transparent as the brush is, over the left half."""
    layer = Image.new("RGBA", (width, height))
    ImageDraw.Draw(layer).rectangle((0, 0, width // 2 - 1, height), fill=(79, 70, 229, 166))
    return layer


def test_three_tabs_make_pictures(forms: dict[str, Form]) -> None:
    assert set(forms) == {"txt2img", "img2img", "inpaint"}


def test_untouched_controls_ask_for_the_models_defaults(
    forms: dict[str, Form], idle_studio: Studio
) -> None:
    request = forms["txt2img"].request(typed(forms["txt2img"]))
    recipe = idle_studio.resolve(request)
    blank = idle_studio.resolve(GenerationRequest())
    assert replace(recipe, seed=blank.seed) == blank
    assert request.seed is None


def test_every_field_of_txt2img_comes_back(forms: dict[str, Form]) -> None:
    form = forms["txt2img"]
    asked = GenerationRequest(
        prompt="a red apple",
        negative_prompt="blurry",
        checkpoint="starter",
        width=320,
        height=192,
        seed=7,
        batch_size=3,
        batch_count=2,
        sampling=Sampling(
            sampler="euler_a", schedule="karras", steps=9, guidance_scale=2.5, clip_skip=2
        ),
    )
    assert form.request(typed(form) | form.values(asked)) == asked


def test_random_seed_shows_as_minus_one(forms: dict[str, Form]) -> None:
    form = forms["txt2img"]
    shown = form.values(GenerationRequest(seed=None))
    (seed,) = [value for part, value in shown.items() if part.elem_id == "txt2img_seed"]
    assert seed == -1


def test_blanks_that_the_model_fills_leave_their_controls_alone(forms: dict[str, Form]) -> None:
    shown = {part.elem_id for part in forms["txt2img"].values(GenerationRequest(prompt="x"))}
    left_alone = ("width", "height", "sampling", "scheduler", "steps", "cfg_scale", "clip_skip")
    assert shown & {f"txt2img_{name}" for name in left_alone} == set()
    assert "txt2img_prompt" in shown


def test_every_field_of_img2img_comes_back(
    forms: dict[str, Form], idle_studio: Studio, tmp_path: Path
) -> None:
    form = forms["img2img"]
    asked = GenerationRequest(
        prompt="x",
        checkpoint="starter",
        width=64,
        height=64,
        sampling=Sampling(
            sampler="euler", schedule="uniform", steps=4, guidance_scale=1.0, clip_skip=1
        ),
        source=Source(
            image=idle_studio.inputs.add(png()),
            denoising_strength=0.4,
            resize_mode=ResizeMode.FILL,
        ),
    )
    assert form.request(typed(form) | form.values(asked)) == asked


def test_every_field_of_inpaint_comes_back_in_pixels(
    forms: dict[str, Form], idle_studio: Studio
) -> None:
    form = forms["inpaint"]
    mask = Image.new("L", (64, 64))
    ImageDraw.Draw(mask).ellipse((8, 8, 40, 40), fill=255)
    asked = GenerationRequest(
        prompt="x",
        checkpoint="starter",
        width=64,
        height=64,
        sampling=Sampling(
            sampler="euler", schedule="uniform", steps=4, guidance_scale=1.0, clip_skip=1
        ),
        source=Source(image=idle_studio.inputs.add(png()), denoising_strength=1.0),
        mask=Mask(
            image=idle_studio.inputs.add_image(mask),
            blur=2,
            area=MaskArea.MASKED,
            padding=8,
            inverted=True,
        ),
    )
    values = typed(form) | form.values(asked)
    editor = next(part for part in form.inputs if part.elem_id == "img2maskimg")
    values[editor] = canvas(Path(values[editor]["background"]).read_bytes(), None)
    assert form.request(values) == asked


def test_strokes_become_a_white_mask_at_full_size(
    forms: dict[str, Form], idle_studio: Studio
) -> None:
    form = forms["inpaint"]
    request = form.request(typed(form, img2maskimg=canvas(png(200, 100), stroke(200, 100))))
    assert request.mask is not None
    mask = idle_studio.inputs.open(request.mask.image)
    assert mask.size == (200, 100)
    assert mask.crop((0, 0, 100, 100)).getextrema() == (255, 255)
    assert mask.crop((100, 0, 200, 100)).getextrema() == (0, 0)


def test_strokes_are_added_to_a_mask_file(
    forms: dict[str, Form], idle_studio: Studio, tmp_path: Path
) -> None:
    file = Image.new("L", (200, 100))
    ImageDraw.Draw(file).rectangle((150, 0, 199, 99), fill=255)
    file.save(tmp_path / "mask.png")
    form = forms["inpaint"]
    values = typed(
        form,
        img2maskimg=canvas(png(200, 100), stroke(200, 100)),
        img_inpaint_mask=str(tmp_path / "mask.png"),
    )
    request = form.request(values)
    assert request.mask is not None
    mask = idle_studio.inputs.open(request.mask.image)
    assert [mask.getpixel((x, 50)) for x in (50, 120, 180)] == [255, 0, 255]


def test_source_keeps_its_bytes(
    forms: dict[str, Form], idle_studio: Studio, tmp_path: Path
) -> None:
    (tmp_path / "source.png").write_bytes(png(80, 72))
    form = forms["img2img"]
    request = form.request(typed(form, img2img_image=str(tmp_path / "source.png")))
    assert request.mode is Mode.IMG2IMG
    assert request.source is not None
    assert idle_studio.inputs.path(request.source.image).read_bytes() == png(80, 72)


@pytest.mark.parametrize(
    ("tab", "changes", "field"),
    [
        ("txt2img", {"txt2img_width": 513}, "width"),
        ("txt2img", {"txt2img_steps": 9999}, "sampling.steps"),
        ("txt2img", {"txt2img_seed": -5}, "seed"),
        ("img2img", {}, "source.image"),
        ("inpaint", {}, "source.image"),
    ],
)
def test_refusals_name_the_control_at_fault(
    forms: dict[str, Form], tab: str, changes: dict[str, Any], field: str
) -> None:
    form = forms[tab]
    with pytest.raises(InvalidRequest) as refused:
        form.request(typed(form, **changes))
    assert refused.value.field == field
    assert form.component(field) in form.inputs


def test_a_file_that_is_no_picture_is_refused_at_its_place(
    forms: dict[str, Form], tmp_path: Path
) -> None:
    (tmp_path / "evil.png").write_text("<svg onload=alert(1)>")
    form = forms["img2img"]
    with pytest.raises(InvalidRequest) as refused:
        form.request(typed(form, img2img_image=str(tmp_path / "evil.png")))
    assert refused.value.field == "source.image"


def test_a_control_that_gradio_makes_anew_reads_as_before(forms: dict[str, Form]) -> None:
    for form in forms.values():
        for part in form.inputs:
            assert set(vars(part)) & {"preprocess", "convert_and_format_image"} == set(), (
                part.elem_id
            )
