"""The Extras tab: what its controls ask for, one picture or several."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from tests.conftest import finished, png
from tests.ui.parts import forms_of, within_loop
from webui.core.codec import encode
from webui.core.errors import InvalidRequest
from webui.core.request import Extras, GenerationRequest, InputId, Mode
from webui.studio import Studio
from webui.ui.form import Form
from webui.ui.restore import Wish, grant
from webui.ui.tabs.extras import SeveralPictures


@pytest.fixture(scope="module")
def form(studio: Studio) -> Form:
    return forms_of(studio)["extras"]


def untouched(form: Form) -> dict[Any, Any]:
    return {part: getattr(part, "value", None) for part in form.inputs}


def test_controls_show_and_ask_for_every_field(studio: Studio, form: Form) -> None:
    extras = Extras(
        image=studio.inputs.add(png(40, 30)),
        upscaler="nearest",
        scale=3.5,
        width=100,
        height=80,
        crop=False,
        second_upscaler="lanczos",
        second_visibility=0.25,
    )
    request = GenerationRequest(extras=extras)
    assert form.request(untouched(form) | dict(form.values(request))) == request


def test_controls_as_they_are_double_the_picture(studio: Studio, form: Form) -> None:
    image = studio.inputs.add(png(40, 30))
    shown = form.values(GenerationRequest(extras=Extras(image=image)), ["extras.image"])
    job = studio.submit(form.request(untouched(form) | dict(shown)))
    assert finished(studio, job.id).state == "done"
    (picture,) = studio.gallery.of_job(job.id)
    assert (picture.width, picture.height) == (80, 60)
    assert picture.recipe.extras == Extras(image=image)


def test_no_picture_is_told_at_its_place(form: Form) -> None:
    with pytest.raises(InvalidRequest) as refused:
        form.request(untouched(form))
    assert refused.value.field == "extras.image"


def test_latent_modes_are_not_offered(form: Form) -> None:
    control = form.component("extras.upscaler")
    assert isinstance(control, gr.Dropdown)
    assert [value for _, value in control.choices] == ["lanczos", "nearest"]


def test_several_pictures_become_a_plan(studio: Studio, form: Form, tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.png" for name in ("one", "two")]
    for number, path in enumerate(paths):
        path.write_bytes(png(20 + number, 10))
    files = within_loop(lambda: gr.File(file_count="multiple"))
    several = SeveralPictures(studio, form, files)
    values = untouched(form) | {files: [str(path) for path in paths]}
    plan = several.asked(values)
    assert plan is not None
    begun = studio.plans.begin(plan)
    assert (begun.asked.kind, begun.cells) == ("folder", 2)
    assert several.asked(untouched(form) | {files: None}) is None


def test_a_picture_is_sent_alone(studio: Studio) -> None:
    forms = forms_of(studio)
    asked = GenerationRequest(prompt="a red apple", width=128, height=64)
    job = finished(studio, studio.submit(asked).id)
    (picture,) = studio.gallery.of_job(job.id)
    granted = grant(studio, forms, Wish(picture=picture.id, source_of=Mode.EXTRAS))
    assert granted.mode is Mode.EXTRAS
    shown = {part.elem_id: value for part, value in granted.values.items()}
    assert Path(shown["extras_image"]).read_bytes() == picture.path.read_bytes()
    assert shown.keys() == {"extras_image", "extras_image_batch"}


def test_what_is_lost_is_named_when_extras_are_restored(studio: Studio) -> None:
    extras = Extras(image=InputId("0" * 64), upscaler="gone.pth", second_upscaler="away.pth")
    granted = grant(
        studio, forms_of(studio), Wish(request=encode(GenerationRequest(extras=extras)))
    )
    assert granted.missing == ["the upscaler “gone.pth”", "the upscaler “away.pth”", "the picture"]
    shown = {part.elem_id: value for part, value in granted.values.items()}
    assert shown["extras_upscaler_1"] == "lanczos"
    assert shown["extras_image"] is None


def test_an_enlarged_picture_is_restored_into_its_tab(studio: Studio, form: Form) -> None:
    extras = Extras(image=studio.inputs.add(png(40, 30)), scale=1.5)
    job = finished(studio, studio.submit(GenerationRequest(extras=extras)).id)
    (picture,) = studio.gallery.of_job(job.id)
    forms = forms_of(studio)
    granted = grant(studio, forms, Wish(picture=picture.id))
    asked = forms["extras"].request(untouched(forms["extras"]) | dict(granted.values))
    assert replace(asked, seed=None) == GenerationRequest(extras=extras)
