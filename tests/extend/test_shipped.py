"""The extensions that come with the program, in a studio as everybody has it."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import finished, make_studio, until
from webui.core.engine import EngineState
from webui.core.errors import InvalidRequest
from webui.core.job import JobState
from webui.core.request import Extras, GenerationRequest, Sampling
from webui.core.result import Picture
from webui.engine.process import EngineProcess
from webui.settings import SettingsStore
from webui.studio import Studio

MODELS = Path(__file__).resolve().parents[2] / "models"
SMALL = GenerationRequest(prompt="a red house", width=64, height=64, seed=5)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    made = make_studio(tmp_path_factory.mktemp("shipped"))
    made.start()
    made.extensions.enable("picture-log")
    yield made
    made.close()


def made(studio: Studio, request: GenerationRequest) -> Picture:
    """The one picture of a job."""
    job = finished(studio, studio.submit(request).id)
    assert job.state is JobState.DONE, job.reason
    return studio.gallery.of_job(job.id)[0]


def pixels(picture: Picture) -> np.ndarray[Any, Any]:
    with Image.open(picture.path) as image:
        return np.asarray(image.convert("RGB"), dtype=float)


def test_all_are_there_and_work(studio: Studio) -> None:
    states = {each.id: (each.is_on, each.failures) for each in studio.extensions.all()}
    assert states == dict.fromkeys(
        ("film-look", "gradient-estimation", "picture-log", "prompt-tools", "sharper-guidance"),
        (True, ()),
    )


def test_tags_in_the_prompt_set_fields(studio: Studio) -> None:
    recipe = made(studio, replace(SMALL, prompt="a house <size:128x64> <steps:3> <cfg:2.5>")).recipe
    assert (recipe.width, recipe.height) == (128, 64)
    assert (recipe.steps, recipe.guidance_scale) == (3, 2.5)
    assert recipe.prompt.strip() == "a house"


@pytest.mark.parametrize("tag", ["<size:wide>", "<steps:many>", "<cfg:low>"])
def test_a_tag_that_can_not_be_read_is_named(studio: Studio, tag: str) -> None:
    with pytest.raises(InvalidRequest, match=f"{tag} can't be read"):
        studio.submit(replace(SMALL, prompt=f"a house {tag}"))


def test_prompts_are_tidied(studio: Studio) -> None:
    tools = {"enabled": True, "tidy": True, "before": "photo", "after": "(big, blue:1.2)"}
    words = "house,, photo, House, (big, blue:1.2)"
    asked = replace(SMALL, prompt=words, extensions={"prompt-tools": tools})
    assert made(studio, asked).recipe.prompt == "photo, house, (big, blue:1.2)"


def test_film_look_is_the_same_for_a_seed(studio: Studio) -> None:
    plain = made(studio, SMALL)
    film = replace(SMALL, extensions={"film-look": {"enabled": True, "grain": 0.5}})
    first, again = made(studio, film), made(studio, film)
    other = made(studio, replace(film, seed=6))
    assert np.abs(pixels(first) - pixels(plain)).mean() > 5
    assert np.array_equal(pixels(first), pixels(again))
    assert not np.array_equal(pixels(first), pixels(other))


def test_film_look_works_in_extras(studio: Studio) -> None:
    image = studio.inputs.add_image(Image.new("RGB", (64, 64), "white"))
    film = {"film-look": {"enabled": True, "grain": 0.0, "fade": 0.0, "vignette": 1.0}}
    asked = GenerationRequest(extras=Extras(image=image, scale=1.0), extensions=film)
    found = pixels(made(studio, asked))
    assert found[0, 0].mean() < 100 < 250 < found[32, 32].mean()


def test_each_picture_gets_a_line_in_the_log(studio: Studio) -> None:
    picture = made(studio, replace(SMALL, prompt='a "quoted", house'))
    table = studio.extensions.data("picture-log") / "pictures.csv"
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows[-1]["file"] == picture.path.name
    assert rows[-1]["prompt"] == 'a "quoted", house'


@pytest.mark.torch
def test_sampler_and_guidance_change_real_pictures(tmp_path: Path) -> None:
    settings = {"data_dir": str(tmp_path), "models_dir": str(MODELS), "keep_free_mb": 0}
    engine = EngineProcess("main", "webui.engine.local:create", {"use_cpu": True, "threads": 1})
    studio = Studio(SettingsStore(settings), [engine])
    studio.start()
    until(lambda: engine.status().state is EngineState.READY, 120)
    base = replace(SMALL, sampling=Sampling(sampler="euler", steps=4))
    guided = {"sharper-guidance": {"enabled": True, "detail": 0.5}}
    try:
        euler = pixels(made(studio, base))
        estimated = pixels(
            made(studio, replace(base, sampling=Sampling(sampler="Gradient estimation", steps=4)))
        )
        sharper = pixels(made(studio, replace(base, extensions=guided)))
        again = pixels(made(studio, base))
    finally:
        studio.close()
    assert np.array_equal(euler, again)
    assert np.abs(euler - estimated).mean() > 1
    assert np.abs(euler - sharper).mean() > 1
