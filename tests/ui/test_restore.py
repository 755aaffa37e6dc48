"""From a picture back into the controls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import finished, png
from tests.ui.parts import forms_of
from webui.core.codec import encode
from webui.core.errors import GessoError
from webui.core.job import JobId
from webui.core.request import GenerationRequest, Hires, InputId, Mode, Refiner, Source
from webui.core.result import Picture
from webui.studio import Studio
from webui.ui.form import Form
from webui.ui.restore import Granted, Wish, grant


@pytest.fixture(scope="module")
def forms(studio: Studio) -> dict[str, Form]:
    return forms_of(studio)


@pytest.fixture
def picture(studio: Studio) -> Picture:
    """A finished picture of 128×64 pixels."""
    asked = GenerationRequest(prompt="a red apple", width=128, height=64, seed=5)
    job = finished(studio, studio.submit(asked).id)
    return studio.gallery.of_job(job.id)[0]


def shown(granted: Granted) -> dict[str | None, Any]:
    return {part.elem_id: value for part, value in granted.values.items()}


def test_a_recipe_goes_into_its_own_tab(
    studio: Studio, forms: dict[str, Form], picture: Picture
) -> None:
    granted = grant(studio, forms, Wish(picture=picture.id))
    assert granted.mode is Mode.TXT2IMG
    assert granted.missing == []
    values = shown(granted)
    assert values["txt2img_prompt"] == "a red apple"
    assert (values["txt2img_width"], values["txt2img_height"]) == (128, 64)
    assert values["txt2img_seed"] == 5
    assert values["setting_sd_model_checkpoint"] == "starter"


def test_restored_controls_make_the_same_picture(
    studio: Studio, forms: dict[str, Form], picture: Picture
) -> None:
    form = forms["txt2img"]
    untouched = {part: getattr(part, "value", None) for part in form.inputs}
    request = form.request(untouched | dict(grant(studio, forms, Wish(picture=picture.id)).values))
    assert studio.resolve(request) == picture.recipe


@pytest.mark.parametrize("tab", [Mode.IMG2IMG, Mode.INPAINT])
def test_a_picture_is_sent_as_source_with_its_words_and_size(
    studio: Studio, forms: dict[str, Form], picture: Picture, tab: Mode
) -> None:
    values = shown(grant(studio, forms, Wish(picture=picture.id, source_of=tab)))
    assert values[f"{tab}_prompt"] == "a red apple"
    assert (values[f"{tab}_width"], values[f"{tab}_height"]) == (128, 64)
    assert f"{tab}_steps" not in values
    place = values["img2img_image"] if tab is Mode.IMG2IMG else values["img2maskimg"]["background"]
    assert Path(place).read_bytes() == picture.path.read_bytes()


def test_sending_a_picture_clears_the_old_mask_file(
    studio: Studio, forms: dict[str, Form], picture: Picture
) -> None:
    values = shown(grant(studio, forms, Wish(picture=picture.id, source_of=Mode.INPAINT)))
    assert values["img_inpaint_mask"] is None


def test_what_this_server_does_not_have_is_named(studio: Studio, forms: dict[str, Form]) -> None:
    request = GenerationRequest(
        prompt="x", checkpoint="elsewhere", source=Source(image=InputId("0" * 64))
    )
    granted = grant(studio, forms, Wish(request=encode(request)))
    assert granted.mode is Mode.IMG2IMG
    assert granted.missing == ["the checkpoint “elsewhere”", "the source picture"]
    assert "setting_sd_model_checkpoint" not in shown(granted)
    assert shown(granted)["img2img_image"] is None


def test_files_that_are_not_here_are_named_and_left_out(
    studio: Studio, forms: dict[str, Form]
) -> None:
    request = GenerationRequest(
        prompt="x <lora:ink:0.5>",
        vae="gone.vae",
        hires=Hires(upscaler="4x-Gone", checkpoint="elsewhere"),
        refiner=Refiner(checkpoint="second"),
    )
    granted = grant(studio, forms, Wish(request=encode(request), missing=("the VAE “gone.vae”",)))
    assert granted.missing == [
        "the VAE “gone.vae”",
        "the checkpoint “second”",
        "the upscaler “4x-Gone”",
        "the checkpoint “elsewhere”",
        "the network “ink”",
    ]
    values = shown(granted)
    assert values["txt2img_prompt"] == "x <lora:ink:0.5>"
    assert values["txt2img_hr_upscaler"] == Hires.upscaler


def test_trying_again_asks_for_the_same_job(
    studio: Studio, forms: dict[str, Form], picture: Picture
) -> None:
    granted = grant(studio, forms, Wish(retry=picture.job_id))
    assert granted.job is not None
    assert granted.job != picture.job_id
    assert finished(studio, JobId(granted.job)).recipe == picture.recipe


@pytest.mark.parametrize(
    "wish", [Wish(picture="gone"), Wish(retry="gone"), Wish(request={"width": 513})]
)
def test_wishes_for_what_is_not_there_are_refused(
    studio: Studio, forms: dict[str, Form], wish: Wish
) -> None:
    with pytest.raises(GessoError):
        grant(studio, forms, wish)


def test_a_source_of_this_server_is_shown(studio: Studio, forms: dict[str, Form]) -> None:
    source = Source(image=studio.inputs.add(png(72, 64)), denoising_strength=0.3)
    granted = grant(studio, forms, Wish(request=encode(GenerationRequest(source=source))))
    assert Path(shown(granted)["img2img_image"]).read_bytes() == png(72, 64)
    assert shown(granted)["img2img_denoising_strength"] == 0.3
