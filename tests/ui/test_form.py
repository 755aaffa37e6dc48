"""From controls to a request and back: what a person sets is what is asked for."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import gradio as gr
import pytest
from gradio.components import Component
from PIL import Image, ImageDraw

from tests.conftest import png
from tests.ui.parts import forms_of
from webui.core.errors import InvalidRequest
from webui.core.request import (
    Emphasis,
    FreeU,
    GenerationRequest,
    Guidance,
    Hires,
    Mask,
    MaskArea,
    MaskContent,
    Mode,
    Noise,
    NoiseSource,
    Outpaint,
    Refiner,
    ResizeMode,
    SamplerParameters,
    Sampling,
    SoftInpainting,
    Source,
    StepCache,
    Tiling,
)
from webui.studio import Studio
from webui.ui.form import Form

QUICK = Sampling(sampler="euler", schedule="uniform", steps=4, guidance_scale=1.0, clip_skip=1)


@pytest.fixture(scope="module")
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


def test_four_tabs_ask_for_pictures(forms: dict[str, Form]) -> None:
    assert set(forms) == {"txt2img", "img2img", "inpaint", "extras"}


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


EVERYTHING = GenerationRequest(
    prompt="a red apple",
    negative_prompt="blurry",
    checkpoint="starter",
    width=320,
    height=192,
    seed=7,
    batch_size=3,
    batch_count=2,
    sampling=Sampling(
        sampler="euler_a",
        schedule="karras",
        steps=9,
        guidance_scale=2.5,
        clip_skip=2,
        parameters=SamplerParameters(
            eta=0.5,
            churn=1.5,
            churn_from=0.25,
            churn_to=10,
            noise_factor=1.125,
            order=3,
            smallest_sigma=0.1,
            largest_sigma=12.3,
            rho=5,
            beta_alpha=0.7,
            beta_beta=0.8,
            discard_penultimate=False,
            sgm_noise=True,
        ),
    ),
    styles=("ink", "old photo"),
    emphasis=Emphasis.NO_NORM,
    vae="vae.safetensors",
    noise=Noise(
        source=NoiseSource.NV,
        variation_seed=3,
        variation_strength=0.25,
        resize_from_width=256,
        resize_from_height=128,
        seed_delta=31337,
    ),
    guidance=Guidance(
        rescale=0.5,
        skip_first=0.1,
        skip_below=1.5,
        skip_below_always=True,
        perturbed_attention=3,
        self_attention=0.75,
        self_attention_blur=1.5,
        mimic_scale=7,
        mimic_percentile=0.95,
        freeu=FreeU(b1=1.1, b2=1.2, s1=0.8, s2=0.3, start=0.1, end=0.9),
    ),
    tiling=Tiling.VERTICAL,
    step_cache=StepCache(threshold=0.25, every=5, start=0.1, end=0.9),
    refiner=Refiner(checkpoint="starter", switch_at=0.6),
)
HIRES = Hires(
    upscaler="latent_nearest",
    scale=1.5,
    width=640,
    height=384,
    steps=5,
    denoising_strength=0.4,
    sampler="euler",
    schedule="karras",
    guidance_scale=3,
    prompt="a larger apple",
    negative_prompt="small",
    checkpoint="starter",
)
WITHOUT_CONTROL = {
    "extras", "verifies", "text_encoders", "extensions", "script", "is_settled"
}  # fmt: skip
"""Parts of a request that its own tab, an action or a program asks for."""


def source_of(studio: Studio) -> Source:
    return Source(
        image=studio.inputs.add(png(200, 100)),
        denoising_strength=0.3,
        resize_mode=ResizeMode.CROP,
        noise_multiplier=0.9,
        extra_noise=0.05,
        image_guidance=2.0,
        exact_steps=True,
        color_correction=True,
    )


def mask_of(studio: Studio) -> Mask:
    return Mask(
        image=studio.inputs.add(png(200, 100, "white")),
        blur=7,
        area=MaskArea.MASKED,
        padding=16,
        inverted=True,
        content=MaskContent.NOISE,
        soft=SoftInpainting(
            schedule_bias=2,
            preservation_strength=1,
            transition_contrast=5,
            mask_influence=0.5,
            difference_threshold=1,
            difference_contrast=3,
        ),
        conditioning_strength=0.5,
    )


def whole(studio: Studio, tab: str) -> GenerationRequest:
    """A request for a tab in which no field has its default."""
    if tab == "txt2img":
        return replace(EVERYTHING, hires=HIRES)
    if tab == "img2img":
        return replace(EVERYTHING, source=source_of(studio))
    return replace(
        EVERYTHING,
        source=source_of(studio),
        mask=mask_of(studio),
        outpaint=Outpaint(left=8, right=16, top=24, bottom=32, overlap=5),
    )


def leaves(kind: type, path: str = "") -> Iterator[str]:
    """The paths of all fields of a request that are no parts themselves."""
    hints = get_type_hints(kind)
    for field in fields(kind):
        kinds = (hints[field.name], *get_args(hints[field.name]))
        part = next((kind for kind in kinds if is_dataclass(kind)), None)
        if part is None:
            yield path + field.name
        else:
            yield from leaves(part, f"{path}{field.name}.")


@pytest.mark.parametrize("tab", ["txt2img", "img2img", "inpaint"])
def test_every_part_of_a_request_comes_back(
    forms: dict[str, Form], idle_studio: Studio, tab: str
) -> None:
    form = forms[tab]
    asked = whole(idle_studio, tab)
    values = browser_values(form, form.values(asked))
    assert form.request(values) == asked


@pytest.mark.parametrize("tab", ["txt2img", "img2img", "inpaint"])
def test_a_plain_request_switches_off_what_another_switched_on(
    forms: dict[str, Form], idle_studio: Studio, tab: str
) -> None:
    form = forms[tab]
    source = replace(source_of(idle_studio), exact_steps=False) if tab != "txt2img" else None
    mask = Mask(image=idle_studio.inputs.add(png(8, 8, "white"))) if tab == "inpaint" else None
    plain = GenerationRequest(
        prompt="plain",
        checkpoint="starter",
        width=256,
        height=256,
        sampling=QUICK,
        source=source,
        mask=mask,
    )
    values = browser_values(form, form.values(whole(idle_studio, tab)) | form.values(plain))
    assert form.request(values) == plain


def test_every_field_has_a_control_somewhere(forms: dict[str, Form]) -> None:
    bound = {path for form in forms.values() for path in form.paths}
    found = set(leaves(GenerationRequest))
    wanted = {path for path in found if path.split(".")[0] not in WITHOUT_CONTROL}
    assert wanted - bound == set()


def test_titles_say_what_is_active(forms: dict[str, Form], idle_studio: Studio) -> None:
    form = forms["txt2img"]
    titles = titles_of(form.values(whole(idle_studio, "txt2img")))
    assert titles["txt2img_hr"] == "Hires fix · 640×384 · Latent (nearest)"
    assert titles["txt2img_refiner"] == "Refiner · starter · at 0.6"
    assert titles["txt2img_styles_group"] == "Styles · ink, old photo"
    assert titles["txt2img_more"] == (
        "More · clip skip 2 · VAE vae · emphasis: no norm · tiling: top and bottom · step cache"
    )
    assert "variation 0.25" in titles["txt2img_seed_extras"]
    assert "FreeU" in titles["txt2img_guidance"]


def test_a_title_says_that_a_mask_file_is_in_use(
    forms: dict[str, Form], idle_studio: Studio
) -> None:
    titles = titles_of(forms["inpaint"].values(whole(idle_studio, "inpaint")))
    assert titles["inpaint_mask_accordion"] == "Use a mask file · in use, strokes add to it"


def test_titles_of_a_plain_request_are_names_only(forms: dict[str, Form]) -> None:
    for form in forms.values():
        shown = form.values(GenerationRequest(sampling=QUICK))
        assert [title for title in titles_of(shown).values() if "·" in title] == []


def test_a_number_that_is_none_is_refused_at_its_control(forms: dict[str, Form]) -> None:
    form = forms["txt2img"]
    with pytest.raises(InvalidRequest) as refused:
        form.request(typed(form, txt2img_sampler_eta="much"))
    assert refused.value.field == "sampling.parameters.eta"
    assert "much" in refused.value.message


def titles_of(values: Mapping[Any, Any]) -> dict[str, str]:
    return {
        part.elem_id: value["label"]
        for part, value in values.items()
        if isinstance(part, gr.Accordion)
    }


def browser_values(form: Form, shown: Mapping[Any, Any]) -> dict[Any, Any]:
    """The values as they come back from the browser: a canvas gives bytes, not a path."""
    values = typed(form) | dict(shown)
    for part, value in values.items():
        if isinstance(value, dict) and isinstance(value.get("background"), str):
            values[part] = canvas(Path(value["background"]).read_bytes(), None)
    return values


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


def test_outpaint_needs_no_mask(forms: dict[str, Form]) -> None:
    form = forms["inpaint"]
    values = typed(
        form,
        img2maskimg=canvas(png(200, 100), None),
        inpaint_outpaint_enabled=True,
        inpaint_outpaint_left=64,
    )
    request = form.request(values)
    assert request.mask is None
    assert request.outpaint == Outpaint(left=64)
    assert request.mode is Mode.INPAINT


def test_strokes_of_colour_become_source_and_mask(
    forms: dict[str, Form], idle_studio: Studio
) -> None:
    form = forms["inpaint"]
    values = typed(form, img2maskimg=canvas(png(200, 100), stroke(200, 100)), inpaint_sketch=True)
    request = form.request(values)
    assert request.source is not None
    assert request.mask is not None
    source = idle_studio.inputs.open(request.source.image)
    assert source.getpixel((50, 50)) != source.getpixel((150, 50))
    assert idle_studio.inputs.open(request.mask.image).getpixel((50, 50)) == 255


def test_a_sketch_is_the_source_while_there_is_one(
    forms: dict[str, Form], idle_studio: Studio, tmp_path: Path
) -> None:
    (tmp_path / "source.png").write_bytes(png(80, 72))
    form = forms["img2img"]
    request = form.request(
        typed(
            form,
            img2img_image=str(tmp_path / "source.png"),
            img2img_sketch=canvas(png(200, 100), stroke(200, 100)),
        )
    )
    assert request.source is not None
    assert idle_studio.inputs.open(request.source.image).size == (200, 100)
