"""Old scripts in a whole studio: from a request to files, cancelled, made again, by a button."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import finished, make_studio, until
from webui.core.job import LOCAL, JobState
from webui.core.request import GenerationRequest, Sampling
from webui.engine.fake import FakeEngine
from webui.extend.extension import State
from webui.studio import Studio

EXTENSIONS = Path(__file__).parent / "extensions"
REQUEST = GenerationRequest(
    prompt="a @@beast@@ of __no_such_wildcard__",
    width=64,
    height=72,
    seed=5,
    batch_count=2,
    sampling=Sampling(steps=2, sampler="euler_a"),
    extensions={"words/words": {"own_words_behind": ", far away"}},
)


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """A running studio with the extension "words" on, and an engine that takes its time."""
    shutil.copytree(EXTENSIONS / "words", tmp_path / "extensions" / "words")
    made = make_studio(tmp_path, FakeEngine("fake", seconds_per_step=0.01))
    made.start()
    on = made.extensions.enable("words")
    assert on.state is State.ON, on.error
    yield made
    made.close()


def written(path: Path) -> str:
    """The text in a picture's file."""
    with Image.open(path) as image:
        return str(image.info["parameters"])


def test_a_job_through_scripts_is_saved_as_it_was_made(studio: Studio) -> None:
    job = finished(studio, studio.submit(REQUEST).id)
    assert job.state is JobState.DONE, job.reason
    first, second = studio.gallery.of_job(job.id)
    assert first.recipe.prompt.endswith(" of __no_such_wildcard__, far away")
    assert "@@" not in first.recipe.prompt
    assert second.recipe.seed == 6
    text = written(first.path)
    assert text.startswith(first.recipe.prompt)
    assert "Own words kind: 1" in text


def test_a_picture_of_scripts_is_made_again(studio: Studio) -> None:
    job = finished(studio, studio.submit(REQUEST).id)
    picture = studio.gallery.of_job(job.id)[1]
    again = finished(studio, studio.verify(picture.id).id)
    assert "dentical" in again.reason, again.reason


def test_a_cancelled_job_leaves_the_engine_ready(studio: Studio) -> None:
    long = GenerationRequest(prompt="x", width=64, height=72, batch_count=50, seed=1)
    job = studio.submit(long)
    until(lambda: studio.jobs.get(job.id).state is JobState.RUNNING)
    studio.cancel(job.id)
    assert finished(studio, job.id).state is JobState.CANCELLED
    assert finished(studio, studio.submit(REQUEST).id).state is JobState.DONE


def test_a_button_makes_pictures_through_the_queue(studio: Studio) -> None:
    processing = importlib.import_module("modules.processing")
    p = processing.StableDiffusionProcessingTxt2Img(
        prompt="a button", width=64, height=72, steps=2, sampler_name="Euler a", seed=3,
        batch_size=2,
    )  # fmt: skip
    processed = processing.process_images(p)
    assert [image.size for image in processed.images] == [(64, 72)] * 2
    (job,) = studio.jobs.recent(LOCAL)
    assert job.recipe.prompt == "a button"  # the scripts of picture tabs were not asked
