"""Extensions in jobs, from the request to the files: what they change, add, and break."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import finished, png, until
from tests.extend.conftest import Workshop
from webui.core.errors import InvalidRequest
from webui.core.job import Job, JobState
from webui.core.request import Extras, GenerationRequest, Sampling
from webui.core.result import Picture
from webui.plans.plan import PlanRequest
from webui.studio import Studio

APPLE = GenerationRequest(
    prompt="a red apple", seed=7, width=64, height=64, sampling=Sampling(steps=2)
)
RED = "from PIL import Image, ImageOps\n"


def made(studio: Studio, request: GenerationRequest = APPLE) -> tuple[Job, list[Picture]]:
    """The job of a request when it is over, and its pictures."""
    job = finished(studio, studio.submit(request).id)
    return job, studio.gallery.of_job(job.id)


def pixels(picture: Picture) -> np.ndarray:
    with Image.open(picture.path) as image:
        return np.asarray(image.convert("RGB"))


def hooked(name: str, argument: str, body: str) -> str:
    """The code of an extension with one hook."""
    return f"{RED}\n@hook\ndef {name}({argument}, ctx):\n    {body}\n"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """The picture of APPLE without extensions."""
    workshop = Workshop(tmp_path_factory.mktemp("plain"))
    _, (picture,) = made(workshop.studio())
    found = pixels(picture)
    workshop.close()
    return found


def test_a_finished_picture_goes_through_one_after_the_other(
    workshop: Workshop, plain: np.ndarray
) -> None:
    workshop.write("first", hooked("image_post", "item", "return ImageOps.invert(item.image)"))
    body = "return replace(item, image=ImageOps.mirror(item.image), facts={'mirror': 'yes'})"
    workshop.write("second", hooked("image_post", "item", body))
    _, (picture,) = made(workshop.studio("first", "second"))
    assert (pixels(picture) == 255 - plain[:, ::-1]).all()
    assert picture.facts["mirror"] == "yes"
    assert set(picture.recipe.extensions) == {"first", "second"}


def test_further_pictures_are_saved_behind_those_asked_for(
    workshop: Workshop, plain: np.ndarray
) -> None:
    body = "return [item, replace(item, image=ImageOps.invert(item.image))]"
    workshop.write("both", hooked("image_post", "item", body))
    job, pictures = made(workshop.studio("both"), replace(APPLE, batch_count=2))
    assert job.state is JobState.DONE
    assert [picture.index for picture in pictures] == [0, 1, 2, 3]
    assert (pixels(pictures[0]) == plain).all()
    for asked, further in ((0, 2), (1, 3)):
        assert (pixels(pictures[further]) == 255 - pixels(pictures[asked])).all()
        assert pictures[further].recipe.seed == pictures[asked].recipe.seed


@pytest.mark.parametrize(
    ("hook", "body"),
    [
        ("image_post", "raise KeyError('oh')"),
        ("image_post", "raise SystemExit"),
        ("image_post", "item.image.paste((0, 0, 0)); return 7"),
        ("image_save_before", "raise KeyError('oh')"),
        ("image_save_before", "return 'a text'"),
    ],
)
def test_a_hook_that_fails_loses_and_changes_no_picture(
    workshop: Workshop, plain: np.ndarray, hook: str, body: str
) -> None:
    workshop.write("bad", hooked(hook, "item", body))
    studio = workshop.studio("bad")
    job, (picture,) = made(studio)
    assert job.state is JobState.DONE
    assert (pixels(picture) == plain).all()
    assert picture.facts["extensions"] == f"bad failed at {hook}"
    (failure,) = studio.extensions.get("bad").failures
    assert (failure.hook, failure.job) == (hook, job.id)


def test_what_cant_be_saved_is_saved_as_it_came(workshop: Workshop, plain: np.ndarray) -> None:
    body = "return replace(item, image=Image.new('F', (64, 64)))"
    workshop.write("odd", hooked("image_save_before", "item", body))
    job, (picture,) = made(workshop.studio("odd"))
    assert job.state is JobState.DONE
    assert (pixels(picture) == plain).all()
    assert "could not be saved" in picture.facts["extensions"]


def test_a_further_picture_that_cant_be_saved_costs_no_other(
    workshop: Workshop, plain: np.ndarray
) -> None:
    body = "return [item, replace(item, image=Image.new('F', (64, 64)))]"
    workshop.write("odd", hooked("image_post", "item", body))
    job, (picture,) = made(workshop.studio("odd"))
    assert job.state is JobState.DONE
    assert (pixels(picture) == plain).all()


def test_facts_of_the_last_look_lie_in_the_picture(workshop: Workshop) -> None:
    body = "return replace(item, facts={**item.facts, 'looked at': item.index})"
    workshop.write("facts", hooked("image_save_before", "item", body))
    _, (picture,) = made(workshop.studio("facts"))
    assert picture.facts["looked at"] == "0"
    assert picture.facts["device"]


def test_a_saved_picture_and_the_end_of_its_job_are_told(workshop: Workshop) -> None:
    code = """
        def note(ctx, *words):
            with (ctx.data / "told").open("a") as file:
                print(*words, file=file)

        @hook
        def image_save_after(saved, ctx):
            note(ctx, ctx.job, "saved", saved.index, saved.path.exists(), saved.id)

        @hook
        def job_end(end, ctx):
            note(ctx, end.id, "end", [p.index for p in end.pictures], repr(end.reason))
    """
    workshop.write("notes", code)
    studio = workshop.studio("notes")
    job, pictures = made(studio)
    told = studio.extensions.data("notes") / "told"
    lines = until(lambda: len(told.read_text().splitlines()) == 2 and told.read_text().split("\n"))
    assert lines[0] == f"{job.id} saved 0 True {pictures[0].id}"
    assert lines[1] == f"{job.id} end [0] ''"


def test_a_picture_of_extras_has_its_own_hook(workshop: Workshop) -> None:
    workshop.write(
        "turn",
        hooked("extras_op", "item", "return ImageOps.invert(item.image)")
        + hooked("image_post", "item", "return Image.new('RGB', (8, 8))"),
    )
    studio = workshop.studio("turn")
    source = studio.inputs.add(png(32, 32, "white"))
    _, (picture,) = made(studio, GenerationRequest(extras=Extras(image=source, scale=2)))
    assert pixels(picture).shape == (64, 64, 3)
    assert (pixels(picture) == 0).all()


def test_a_wish_to_stop_ends_the_job_and_keeps_the_picture(
    workshop: Workshop, plain: np.ndarray
) -> None:
    workshop.write("stop", hooked("image_post", "item", "raise StopJob('Enough.')"))
    job, (picture, *_) = made(workshop.studio("stop"), replace(APPLE, batch_count=20))
    assert (job.state, job.reason) == (JobState.FAILED, "Enough.")
    assert (pixels(picture) == plain).all()


RUNS = """
    INPUTS = [Slider("many", "How many", 2, low=1, high=5, step=1)]

    @hook
    def job_run(request, runner, inputs, ctx):
        for number in range(int(inputs.many)):
            sub = replace(request, prompt=f"{request.prompt} {number}", script=None)
            for item in runner.generate(sub):
                yield replace(item, facts={**item.facts, "number": str(number)})
"""


def test_an_extension_takes_a_job_over(workshop: Workshop) -> None:
    workshop.write("series", RUNS)
    studio = workshop.studio("series")
    request = replace(APPLE, script="series", extensions={"series": {"many": 3}})
    job, pictures = made(studio, request)
    assert job.state is JobState.DONE
    assert [picture.index for picture in pictures] == [0, 1, 2]
    assert [picture.recipe.prompt for picture in pictures] == [
        f"a red apple {number}" for number in range(3)
    ]
    assert [picture.facts["number"] for picture in pictures] == ["0", "1", "2"]
    _, (again,) = made(studio, studio.request_of(pictures[1].recipe)[0])
    assert (pixels(again) == pixels(pictures[1])).all()


def test_a_job_that_was_taken_over_and_fails_says_by_whom(workshop: Workshop) -> None:
    workshop.write("series", RUNS + "            raise KeyError('oh')\n")
    job, pictures = made(workshop.studio("series"), replace(APPLE, script="series"))
    assert job.state is JobState.FAILED
    assert job.reason == "Series failed: KeyError: 'oh'"
    assert len(pictures) == 1


def test_a_runner_refuses_what_cant_be_made(workshop: Workshop) -> None:
    workshop.write("series", RUNS.replace("script=None", "script=None, checkpoint='gone'"))
    job, pictures = made(workshop.studio("series"), replace(APPLE, script="series"))
    assert job.state is JobState.FAILED
    assert "InvalidRequest" in job.reason
    assert pictures == []


def test_a_job_that_was_taken_over_can_be_cancelled(workshop: Workshop) -> None:
    code = RUNS.replace("range(int(inputs.many))", "range(10**6)")
    workshop.write("series", code)
    studio = workshop.studio("series")
    job = studio.submit(replace(APPLE, script="series"))
    until(lambda: studio.gallery.of_job(job.id))
    studio.cancel(job.id)
    assert finished(studio, job.id).state is JobState.CANCELLED
    assert studio.gallery.of_job(job.id)
    job, pictures = made(studio)
    assert (job.state, len(pictures)) == (JobState.DONE, 1)


def test_a_server_that_ends_makes_a_taken_over_job_whole_at_its_next_start(
    workshop: Workshop,
) -> None:
    workshop.write("series", RUNS)
    studio = workshop.studio("series")
    request = replace(APPLE, script="series", extensions={"series": {"many": 5}})
    job = studio.submit(request)
    until(lambda: studio.gallery.of_job(job.id))
    workshop.close()
    studio = workshop.studio()
    assert finished(studio, job.id).state is JobState.DONE
    prompts = [picture.recipe.prompt for picture in studio.gallery.of_job(job.id)]
    assert prompts == [f"a red apple {number}" for number in range(5)]


def test_a_runner_keeps_pictures_for_its_requests(workshop: Workshop) -> None:
    code = """
        from PIL import Image
        from webui.core.request import Source

        @hook
        def job_run(request, runner, inputs, ctx):
            kept = runner.keep(Image.new("RGB", (64, 64), "blue"))
            source = Source(image=kept, denoising_strength=0.0)
            yield from runner.generate(replace(request, source=source, script=None))
    """
    workshop.write("keeper", code)
    _, (picture,) = made(workshop.studio("keeper"), replace(APPLE, script="keeper"))
    assert (pixels(picture) == (0, 0, 255)).all()


def test_a_job_whose_script_was_switched_off_meanwhile_says_so(workshop: Workshop) -> None:
    workshop.write("series", RUNS)
    studio = workshop.studio("series")
    with studio.dispatcher.reordering():  # nothing begins meanwhile
        job = studio.submit(replace(APPLE, script="series"))
        studio.extensions.disable("series")
    assert finished(studio, job.id).reason.startswith("“series” was to take this job over")


def test_a_script_that_is_not_there_is_refused(workshop: Workshop) -> None:
    with pytest.raises(InvalidRequest):
        workshop.studio().submit(replace(APPLE, script="nobody"))


def engine_file(body: str) -> dict[str, str]:
    return {"engine": f"from webui.extend import hook\n@hook\ndef batch_end(items):\n    {body}\n"}


def test_one_that_fails_in_the_engine_is_left_out_of_the_rest(
    workshop: Workshop, plain: np.ndarray
) -> None:
    workshop.write("tired", **engine_file("raise KeyError('oh')"))
    studio = workshop.studio("tired")
    job, pictures = made(studio, replace(APPLE, batch_count=3))
    assert job.state is JobState.DONE
    assert (pixels(pictures[0]) == plain).all()
    assert {picture.facts["extensions"] for picture in pictures} == {"tired failed at batch_end"}
    (failure,) = studio.extensions.get("tired").failures
    assert "KeyError: 'oh'" in failure.traceback


def test_time_in_the_engine_is_booked(workshop: Workshop) -> None:
    workshop.write("slow", **engine_file("sum(range(100_000))"))
    studio = workshop.studio("slow")
    before = studio.extensions.get("slow").seconds
    made(studio)
    assert studio.extensions.get("slow").seconds > before


def test_comparing_a_picture_sees_what_extensions_do(workshop: Workshop, tmp_path: Path) -> None:
    workshop.write("turn", hooked("image_post", "item", "return [item, item]"))
    studio = workshop.studio("turn")
    _, (picture, _) = made(studio)
    job = finished(studio, studio.verify(picture.id).id)
    assert job.reason == "Identical: every pixel is the same."
    assert studio.gallery.of_job(job.id) == []


GRID_OF_TWO = PlanRequest(
    kind="xyz",
    request=APPLE,
    options={"x": {"axis": "seed", "values": "7, 8"}, "has_legend": False},
)


@pytest.mark.parametrize(
    ("body", "is_changed"),
    [
        ("return replace(grid, images=[Image.new('RGB', (64, 64), 'red')] * 2)", True),
        ("assert grid.columns == 2; return replace(grid, images=grid.images[:1])", False),
        ("raise KeyError('oh')", False),
        ("raise StopJob('No.')", False),
    ],
)
def test_the_pictures_of_a_grid_go_through_its_hook(
    workshop: Workshop, body: str, is_changed: bool
) -> None:
    workshop.write("sheet", hooked("grid", "grid", body))
    studio = workshop.studio("sheet")
    id = studio.plans.begin(GRID_OF_TWO).id
    plan = until(lambda: ((plan := studio.plans.get(id)).is_settled and plan) or None)
    (grid,) = studio.plans.grids(plan)
    assert bool((pixels(grid) == (255, 0, 0)).all()) == is_changed
