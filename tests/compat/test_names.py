"""The names of the second and third tier: what they tell of the studio, and what they refuse."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from tests.compat.asked import Outcome, run_job
from tests.conftest import finished, png
from tests.extend.conftest import Workshop
from webui.compat import loading, missing
from webui.compat.told import told_by, told_in
from webui.core.job import JobState
from webui.core.request import Extras, GenerationRequest, Mode, Sampling
from webui.studio import Studio

EXTENSIONS = Path(__file__).parent / "extensions"
REQUEST = GenerationRequest(
    prompt="a cat <loud:very:well>", width=64, height=72, seed=5, sampling=Sampling(steps=2)
)


def job(studio: Studio, name: str) -> Outcome:
    """A job through one fixture extension."""
    return run_job(studio, {name: EXTENSIONS / name}, REQUEST)


def test_names_tell_of_the_studio(studio: Studio) -> None:
    outcome = job(studio, "tables")
    assert outcome.errors == []
    assert outcome.images[0].facts["text:Checks"] == "20"
    assert "modules.shared.sd_model.network_layer_mapping" in missing.noted()


def test_a_tag_that_an_extension_registered_is_acted_on(studio: Studio) -> None:
    outcome = job(studio, "tables")
    assert outcome.images[0].facts["text:Loud"] == "very well"


def test_names_given_back_are_taken_away_again(studio: Studio) -> None:
    job(studio, "tables")
    loading.unload()
    assert not hasattr(Image, "ANTIALIAS")
    assert not hasattr(ImageDraw.ImageDraw, "textsize")


def test_scripts_for_finished_pictures_run_one_behind_the_other(studio: Studio) -> None:
    told = told_by(studio, EXTENSIONS)
    assert loading.load({"finish": EXTENSIONS / "finish"}, told_in({"gesso": told})) == {}
    postprocessing = __import__("modules.scripts_postprocessing", fromlist=["x"])
    runner = postprocessing.ScriptPostprocessingRunner()
    asked = {"Turned colours": {"enable": True, "copies": 2}}

    async def drawn() -> list[object]:  # within a loop, or Gradio makes one that nobody closes
        return list(runner.create_args_for_run(asked))

    values = asyncio.run(drawn())
    picture = postprocessing.PostprocessedImage(Image.new("RGB", (4, 4), "black"))
    runner.run(picture, values)
    assert picture.image.getpixel((0, 0)) == (255, 255, 255)
    assert picture.info == {"Turned": "yes"}
    # each copy is turned as well, and has no copies of its own
    assert [each.nametags for each in picture.extra_images] == [["copy"], ["copy"]]
    loading.unload()


def test_scripts_for_finished_pictures_work_in_extras(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    shutil.copytree(EXTENSIONS / "finish", workshop.folder / "finish")
    try:
        studio = workshop.studio("finish")
        legacy = studio.extensions.legacy
        assert legacy is not None
        (part,) = legacy.parts()
        assert (part.id, part.modes) == ("finish/finish", (Mode.EXTRAS,))
        assert [each.id for each in part.inputs] == ["turn_colours", "copies"]
        image = studio.inputs.add(png(64, 64, "red"))
        request = GenerationRequest(
            extras=Extras(image=image, scale=2.0),
            extensions={"finish/finish": {"turn_colours": True, "copies": 1}},
        )
        job = finished(studio, studio.submit(request).id)
        assert job.state is JobState.DONE, job.reason
        pictures = studio.gallery.of_job(job.id)
        assert len(pictures) == 2
        for each in pictures:
            with Image.open(each.path) as picture:
                assert picture.size == (128, 128)
                assert picture.getpixel((5, 5)) == (0, 255, 255)
                assert "Turned: yes" in str(picture.info["parameters"])
    finally:
        workshop.close()


def test_axes_of_scripts_are_axes_of_the_plot(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    shutil.copytree(EXTENSIONS / "grids", workshop.folder / "grids")
    try:
        studio = workshop.studio("grids")
        axes = {each.label: each for each in studio.plans.axes()}
        request = GenerationRequest(prompt="a cat", width=64, height=72, sampling=Sampling(steps=2))
        for label, text in (("[More] Word", "dog"), ("[More] Loud", "true"), ("[More] Often", "2")):
            (value,) = axes[label].read(text)
            request = axes[label].put(request, value, [value])
        (three,) = axes["[More] Steps"].read("3")
        request = axes["[More] Steps"].put(request, three, [three])
        job = finished(studio, studio.submit(request).id)
        assert job.state is JobState.DONE, job.reason
        (picture,) = studio.gallery.of_job(job.id)
        assert picture.recipe.prompt == "a cat DOG DOG"
        assert picture.recipe.steps == 3
    finally:
        workshop.close()


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("ldm.modules.attention", "diffusers"),
        ("k_diffusion.sampling", "register_samplers"),
        ("modules.sd_unet", "diffusers"),
    ],
)
def test_what_can_not_be_imported_says_what_is_built_in(
    studio: Studio, name: str, instead: str
) -> None:
    loading.load({"finish": EXTENSIONS / "finish"}, told_in({"gesso": told_by(studio, EXTENSIONS)}))
    with pytest.raises(ImportError, match=instead):
        __import__(name)
    loading.unload()
