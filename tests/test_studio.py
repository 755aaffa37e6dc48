"""From a request to a file on disk, through the studio's own door, with the fake engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import finished, make_studio, png, until
from tests.model_files import safetensors
from webui.core.errors import InvalidRequest, NotFound, NotPermitted
from webui.core.job import JobState, PersonId
from webui.core.model import ModelInfo
from webui.core.request import GenerationRequest, InputId, Mask, Sampling, Source
from webui.engine.fake import FakeEngine
from webui.studio import Studio

APPLE = GenerationRequest(prompt="a red apple, 3d style")
UNET = "model.diffusion_model"
SD15_SHAPES = {
    f"{UNET}.input_blocks.0.0.weight": (320, 4, 3, 3),
    f"{UNET}.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, 768),
    f"{UNET}.middle_block.1.proj_in.weight": (1280, 1280, 1, 1),
    f"{UNET}.out.2.weight": (4, 320, 3, 3),
    "first_stage_model.decoder.conv_in.weight": (512, 4, 3, 3),
    "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight": (1, 768),
}


def test_a_request_becomes_a_file_with_its_recipe(studio: Studio) -> None:
    job = finished(studio, studio.submit(APPLE).id)
    (picture,) = studio.gallery.of_job(job.id)
    with Image.open(picture.path) as image:
        assert image.size == (256, 256)
    assert picture.recipe == job.recipe
    assert job.state is JobState.DONE


def test_blanks_are_filled_from_the_model(studio: Studio) -> None:
    recipe = studio.resolve(APPLE)
    assert (recipe.width, recipe.height, recipe.steps, recipe.sampler) == (256, 256, 20, "dpmpp_2m")
    assert recipe.model.id == "starter"
    assert len(recipe.model.hash) == 64
    assert recipe.version == "0.1.0"


def test_what_is_given_is_kept(studio: Studio) -> None:
    given = GenerationRequest(
        prompt="x", negative_prompt="y", width=128, height=192, seed=5,
        sampling=Sampling(sampler="euler", schedule="karras", steps=3, guidance_scale=1.0,
                          clip_skip=2),
    )  # fmt: skip
    recipe = studio.resolve(given)
    assert replace(recipe.request(), checkpoint=None) == given


def test_random_seeds_are_fixed_when_the_job_is_accepted(studio: Studio) -> None:
    seeds = {studio.submit(APPLE).recipe.seed for _ in range(8)}
    assert len(seeds) == 8


@pytest.mark.parametrize(
    ("name", "sampler", "schedule"),
    [
        ("DPM++ 2M", "dpmpp_2m", "automatic"),
        ("Euler a", "euler_a", "automatic"),
        ("DPM++ 2M Karras", "dpmpp_2m", "karras"),
        ("euler", "euler", "automatic"),
    ],
)
def test_names_from_a1111_are_understood(
    studio: Studio, name: str, sampler: str, schedule: str
) -> None:
    recipe = studio.resolve(replace(APPLE, sampling=Sampling(sampler=name)))
    assert (recipe.sampler, recipe.schedule) == (sampler, schedule)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (replace(APPLE, width=100), "width"),
        (replace(APPLE, sampling=Sampling(sampler="magic")), "sampling.sampler"),
        (replace(APPLE, sampling=Sampling(schedule="magic")), "sampling.schedule"),
        (replace(APPLE, checkpoint="gone"), "checkpoint"),
        (replace(APPLE, source=Source(image=InputId("a" * 64))), "source.image"),
        (replace(APPLE, mask=Mask(image=InputId("a" * 64))), "source.image"),
    ],
)
def test_a_refusal_names_the_field_and_stores_nothing(
    studio: Studio, request_: GenerationRequest, field: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        studio.submit(request_)
    assert refused.value.field == field
    assert studio.jobs.recent(owner=studio_owner(), limit=10) == []


def studio_owner() -> PersonId:
    return PersonId("local")


def test_an_empty_mask_is_refused_before_the_queue(studio: Studio) -> None:
    source = Source(image=studio.inputs.add(png()))
    black = Mask(image=studio.inputs.add(png(colour="black")))
    with pytest.raises(InvalidRequest, match="mask is empty"):
        studio.submit(replace(APPLE, source=source, mask=black))
    white = studio.submit(replace(APPLE, source=source, mask=replace(black, inverted=True)))
    assert finished(studio, white.id).state is JobState.DONE


def test_the_source_gives_the_size_when_none_is_asked_for(studio: Studio) -> None:
    source = Source(image=studio.inputs.add(png(300, 131)))
    recipe = studio.resolve(replace(APPLE, source=source))
    assert (recipe.width, recipe.height) == (304, 128)


def test_a_picture_made_again_has_the_same_pixels(studio: Studio) -> None:
    source = Source(image=studio.inputs.add(png(64, 64, "blue")), denoising_strength=0.5)
    job = finished(studio, studio.submit(replace(APPLE, source=source, batch_size=3)).id)
    third = studio.gallery.of_job(job.id)[2]
    again = finished(studio, studio.remake(third.id).id)
    (copy,) = studio.gallery.of_job(again.id)
    assert copy.path != third.path
    assert Image.open(copy.path).tobytes() == Image.open(third.path).tobytes()


def test_nobody_can_cancel_the_job_of_another(tmp_path: Path) -> None:
    studio = make_studio(tmp_path, FakeEngine("fake", seconds_per_step=0.05))
    studio.start()
    try:
        job = studio.submit(APPLE, PersonId("ana"))
        with pytest.raises(NotPermitted):
            studio.cancel(job.id, PersonId("ben"))
        studio.cancel(job.id, PersonId("ana"))
        assert finished(studio, job.id).state is JobState.CANCELLED
    finally:
        studio.close()


def test_a_studio_closed_in_the_middle_goes_on_where_it_was(tmp_path: Path) -> None:
    first = make_studio(tmp_path, FakeEngine("fake", seconds_per_step=0.02))
    first.start()
    job = first.submit(replace(APPLE, batch_count=4))
    until(lambda: len(first.gallery.of_job(job.id)) >= 1)
    first.close()
    second = make_studio(tmp_path)
    second.start()
    try:
        done = finished(second, job.id)
        pictures = second.gallery.of_job(job.id)
        assert done.state is JobState.DONE
        assert [picture.index for picture in pictures] == [0, 1, 2, 3]
        assert [picture.recipe for picture in pictures] == [job.recipe.at(i) for i in range(4)]
    finally:
        second.close()


def test_unknown_things_are_not_found(studio: Studio) -> None:
    with pytest.raises(NotFound):
        studio.remake("nothing")


class Listening(FakeEngine):
    """A fake engine that remembers what it was told to expect."""

    def __init__(self) -> None:
        super().__init__("fake")
        self.expected: list[str] = []

    def expect(self, model: ModelInfo) -> None:
        self.expected.append(model.id)


def test_engines_know_which_model_is_likely_to_be_wanted(tmp_path: Path) -> None:
    engine = Listening()
    studio = make_studio(tmp_path, engine)
    studio.start()
    until(lambda: engine.expected == ["starter"])
    safetensors(tmp_path / "models" / "new.safetensors", SD15_SHAPES)
    studio.catalog.refresh()
    assert engine.expected == ["starter", "new.safetensors"]
    studio.settings.update({"show_previews": False})
    studio.catalog.refresh()
    assert engine.expected == ["starter", "new.safetensors"]
    studio.settings.update({"checkpoint": "starter"})
    assert engine.expected == ["starter", "new.safetensors", "starter"]
    studio.close()
