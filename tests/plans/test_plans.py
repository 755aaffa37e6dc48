"""Plans as people see them: pictures and a grid at the end, whatever happens on the way."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import finished, make_studio, png, until
from webui.core.errors import InvalidRequest, LimitReached, NotFound
from webui.core.job import PersonId
from webui.core.request import Extras, GenerationRequest, Mode, Sampling, Source
from webui.core.result import Picture
from webui.engine.fake import FakeEngine
from webui.engine.faults import Fault, FaultKind, Faults
from webui.imaging.infotext import read_infotext
from webui.imaging.picture_text import read_picture_text
from webui.plans.feeder import AHEAD
from webui.plans.plan import Plan, PlanId, PlanRequest, PlanState
from webui.plans.plans import MOST_OPEN
from webui.studio import Studio

BASE = GenerationRequest(
    prompt="a cat", seed=7, width=64, height=64, sampling=Sampling(steps=2, sampler="euler")
)


def ask(kind: str, request: GenerationRequest = BASE, **options: Any) -> PlanRequest:
    return PlanRequest(kind=kind, request=request, options=options)


def plot(request: GenerationRequest = BASE, **axes: tuple[str, str]) -> PlanRequest:
    """A plot with axes such as x=("steps", "1-3")."""
    sides = {letter: {"axis": axis, "values": values} for letter, (axis, values) in axes.items()}
    return ask("xyz", request, **sides)


def settled(studio: Studio, id: PlanId) -> Plan:
    """The plan when nothing is left to do."""
    return until(lambda: ((plan := studio.plans.get(id)).is_settled and plan) or None)


def made(studio: Studio, asked: PlanRequest) -> Plan:
    return settled(studio, studio.plans.begin(asked).id)


def pictures(studio: Studio, plan: Plan) -> list[Picture]:
    """The pictures of the plan's manifest, in its order."""
    return [studio.gallery.get(line.picture_id) for line in studio.plans.manifest(plan.id)]


def pixels(path: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


@pytest.fixture
def still(tmp_path: Path) -> Iterator[Studio]:
    """A studio whose plans move but whose queue does not, until `dispatcher.start()`."""
    studio = make_studio(tmp_path)
    studio.gallery.recover()
    studio.catalog.refresh()
    studio.plans.start()
    yield studio
    studio.close()


def open_jobs(studio: Studio, count: int) -> bool:
    return len(studio.jobs.open_jobs()) == count


def test_a_plot_becomes_pictures_and_a_grid(studio: Studio) -> None:
    plan = made(studio, plot(x=("steps", "1-3"), y=("seed", "4, 5")))
    assert (plan.state, studio.plans.counts(plan.id).done) == (PlanState.DONE, 6)
    recipes = {(p.recipe.steps, p.recipe.seed) for p in pictures(studio, plan)}
    assert recipes == {(steps, seed) for steps in (1, 2, 3) for seed in (4, 5)}
    (grid,) = studio.plans.grids(plan)
    assert grid.path.is_relative_to(studio.gallery.folder / "txt2img-grids")
    assert grid.facts["plan"] == plan.id
    text = read_picture_text(grid.path).infotext or ""
    assert read_infotext(text).settings.items() >= {
        ("Script", "X/Y/Z plot"),
        ("X Type", "Steps"),
        ("X Values", "1-3"),
        ("Y Type", "Seed"),
        ("Y Values", "4,5"),
    }
    assert studio.infotext(grid.recipe, grid.facts) == text
    assert "Script" not in studio.infotext(grid.recipe)
    assert grid in studio.gallery.page(plan.owner)


def test_the_grid_shows_each_picture_in_its_place(studio: Studio) -> None:
    asked = ask(
        "xyz",
        x={"axis": "steps", "values": "1-3"},
        y={"axis": "seed", "values": "4, 5"},
        has_legend=False,
        margin=10,
    )
    plan = made(studio, asked)
    (grid,) = studio.plans.grids(plan)
    drawn = pixels(grid.path)
    assert drawn.shape == (64 * 2 + 10, 64 * 3 + 20, 3)
    for picture in pictures(studio, plan):
        column, row = picture.recipe.steps - 1, picture.recipe.seed - 4
        x, y = column * 74, row * 74
        assert np.array_equal(drawn[y : y + 64, x : x + 64], pixels(picture.path))


def test_sheets_get_grids_of_their_own_when_asked(studio: Studio) -> None:
    asked = ask(
        "xyz",
        x={"axis": "steps", "values": "1, 2"},
        z={"axis": "seed", "values": "1-3"},
        has_sub_grids=True,
    )
    whole, *parts = studio.plans.grids(made(studio, asked))
    assert len(parts) == 3
    assert [whole.width, whole.height] == [3 * parts[0].width, parts[0].height]


@pytest.mark.parametrize(
    ("asked", "field", "said"),
    [
        (ask("poster"), "kind", "There is no plan “poster”"),
        (
            plot(x=("sampler", "Euler, Eulr")),
            "options.x.values",
            "X axis, Sampler “Eulr”: There is no sampler “Eulr”",
        ),
        (
            plot(x=("seed", "1"), y=("steps", "20, 500")),
            "options.y.values",
            "Y axis, Steps “500”: Steps 500 is too large",
        ),
        (ask("many", count=0), "options.count", "Count 0 is too small"),
        (ask("lines", text="one\n--width 65 --prompt two"), "options.text", "Line 2: Width 65"),
        (ask("loopback"), "source.image", "begins with a picture"),
        (plot(GenerationRequest(width=65), x=("steps", "1")), "width", "65 is not a multiple"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_is(
    still: Studio, asked: PlanRequest, field: str, said: str
) -> None:
    with pytest.raises(InvalidRequest, match=said) as refused:
        still.plans.begin(asked)
    assert refused.value.field == field
    assert still.plans.recent() == []


def test_a_script_of_another_tab_is_refused(still: Studio) -> None:
    request = GenerationRequest(extras=Extras(image=still.inputs.add(png())))
    with pytest.raises(InvalidRequest, match="is for txt2img, img2img, inpaint"):
        still.plans.begin(plot(request, x=("steps", "1-3")))


def test_only_a_few_cells_stand_in_the_queue(still: Studio) -> None:
    still.plans.begin(ask("many", count=100_000))
    until(lambda: open_jobs(still, AHEAD))
    still.plans.begin(ask("many", count=100_000))
    until(lambda: open_jobs(still, 2 * AHEAD))
    assert still.plans.counts(still.plans.recent()[1].id).sent == AHEAD


def test_a_paused_plan_goes_on_where_it_was(still: Studio) -> None:
    plan = still.plans.begin(ask("many", count=10))
    until(lambda: open_jobs(still, AHEAD))
    assert still.plans.pause(plan.id).state is PlanState.PAUSED
    still.dispatcher.start()
    until(lambda: still.plans.counts(plan.id).done == AHEAD)
    assert open_jobs(still, 0)
    still.plans.resume(plan.id)
    settled(still, plan.id)
    assert sorted(p.recipe.seed for p in pictures(still, plan)) == list(range(7, 17))


def test_a_cancelled_plan_makes_no_more_and_can_go_on(still: Studio) -> None:
    plan = still.plans.begin(plot(x=("seed", "1-8")))
    until(lambda: open_jobs(still, AHEAD))
    still.plans.cancel(plan.id)
    assert settled(still, plan.id).state is PlanState.CANCELLED
    assert open_jobs(still, 0)
    still.plans.retry(plan.id)
    still.dispatcher.start()
    assert settled(still, plan.id).state is PlanState.DONE
    assert sorted(p.recipe.seed for p in pictures(still, plan)) == list(range(1, 9))


def test_a_plan_that_is_cancelled_half_way_shows_what_there_is(still: Studio) -> None:
    plan = still.plans.begin(plot(x=("seed", "1-8")))
    until(lambda: open_jobs(still, AHEAD))
    still.plans.pause(plan.id)
    still.dispatcher.start()
    until(lambda: still.plans.counts(plan.id).done == AHEAD)
    still.plans.cancel(plan.id)
    (grid,) = still.plans.grids(settled(still, plan.id))
    assert grid.width == 8 * 64
    assert "cancelled" in grid.facts["grid"]


def test_a_cell_that_fails_leaves_a_blank_and_can_be_made_again(tmp_path: Path) -> None:
    faults = Faults([Fault(kind=FaultKind.UNREADABLE, prompt="dog", times=1)])
    studio = make_studio(tmp_path, FakeEngine("fake", faults=faults))
    studio.start()
    asked = ask("xyz", x={"axis": "prompt_sr", "values": "cat, dog, owl"}, has_legend=False)
    plan = made(studio, asked)
    ((cell, label),) = studio.plans.faults(plan)
    assert label == "Prompt S/R: dog"
    assert "can't be used" in cell.reason
    (grid,) = studio.plans.grids(plan)
    assert not np.array_equal(pixels(grid.path)[0, 64], pixels(grid.path)[0, 0])
    assert np.array_equal(pixels(grid.path)[2, 66], [0xEC, 0xEC, 0xF0])

    studio.plans.retry(plan.id)
    again = settled(studio, plan.id)
    assert studio.plans.counts(plan.id).failed == 0
    (whole,) = studio.plans.grids(again)
    assert np.array_equal(pixels(whole.path)[:, 64:128], pixels(_dog(studio, plan).path))
    studio.close()


def _dog(studio: Studio, plan: Plan) -> Picture:
    (dog,) = [p for p in pictures(studio, plan) if p.recipe.prompt == "a dog"]
    return dog


def test_a_plan_goes_on_after_a_restart_and_makes_nothing_twice(tmp_path: Path) -> None:
    studio = make_studio(tmp_path)
    studio.start()
    plan = studio.plans.begin(plot(x=("seed", "1-30")))
    until(lambda: studio.plans.counts(plan.id).done >= 5)
    studio.close()
    studio = make_studio(tmp_path)
    studio.start()
    settled(studio, plan.id)
    files = list((studio.gallery.folder / "txt2img-images").rglob("*.png"))
    assert len(files) == 30
    assert sorted(p.recipe.seed for p in pictures(studio, plan)) == list(range(1, 31))
    studio.close()


def test_a_plan_survives_the_loss_of_the_list_of_jobs(tmp_path: Path) -> None:
    studio = make_studio(tmp_path)
    studio.gallery.recover()
    studio.catalog.refresh()
    studio.plans.start()
    plan = studio.plans.begin(plot(x=("seed", "1-5")))
    until(lambda: open_jobs(studio, AHEAD))
    studio.close()
    for file in (tmp_path / "data").glob("jobs.sqlite*"):
        file.unlink()
    studio = make_studio(tmp_path)
    studio.start()
    settled(studio, plan.id)
    assert sorted(p.recipe.seed for p in pictures(studio, plan)) == [1, 2, 3, 4, 5]
    studio.close()


def test_a_submission_that_was_not_noted_any_more_makes_nothing_twice(still: Studio) -> None:
    first = still.submit(BASE, key="cell")
    assert still.submit(BASE, key="cell").id == first.id
    assert open_jobs(still, 1)


def test_the_manifest_tells_of_every_picture(studio: Studio) -> None:
    asked = ask(
        "many",
        GenerationRequest(prompt="a {red|blue} =apple", seed=3, width=64, height=64, batch_size=2),
        count=5,
    )
    plan = made(studio, asked)
    lines = list(studio.plans.manifest(plan.id))
    assert [line.seed for line in lines] == [3, 4, 5, 6, 7]
    for line in lines:
        data = (studio.gallery.folder / line.file).read_bytes()
        assert hashlib.sha256(data).hexdigest() == line.sha256
    assert studio.plans.grids(plan) == []


def test_each_picture_of_a_loop_can_be_made_again_alone(studio: Studio) -> None:
    source = Source(image=studio.inputs.add(png(colour="blue")), denoising_strength=0.6)
    request = GenerationRequest(prompt="waves", seed=1, width=64, height=64, source=source)
    plan = made(studio, ask("loopback", request, loops=3, final_denoising_strength=0.2))
    loops = pictures(studio, plan)
    assert [p.recipe.source.denoising_strength for p in loops if p.recipe.source] == [0.6, 0.4, 0.2]
    for before, after in itertools.pairwise(loops):
        assert after.recipe.source is not None
        given = studio.inputs.path(after.recipe.source.image)
        assert np.array_equal(pixels(given), pixels(before.path))
    for picture in loops:
        job = finished(studio, studio.remake(picture.id).id)
        (again,) = studio.gallery.of_job(job.id)
        assert np.array_equal(pixels(again.path), pixels(picture.path))


def test_a_loop_ends_where_a_picture_is_missing(tmp_path: Path) -> None:
    faults = Faults([Fault(kind=FaultKind.UNREADABLE, prompt="waves")])
    studio = make_studio(tmp_path, FakeEngine("fake", faults=faults))
    studio.start()
    source = Source(image=studio.inputs.add(png()))
    request = GenerationRequest(prompt="waves", width=64, height=64, source=source)
    plan = made(studio, ask("loopback", request, loops=3))
    reasons = [cell.reason for cell, _ in studio.plans.faults(plan)]
    assert reasons[1:] == ["The picture that this one starts from was not made."] * 2
    studio.close()


def test_a_folder_takes_words_from_each_picture(studio: Studio) -> None:
    apple = finished(studio, studio.submit(BASE).id)
    (picture,) = studio.gallery.of_job(apple.id)
    telling, silent = studio.inputs.add(picture.path.read_bytes()), studio.inputs.add(png())
    images = [{"name": "a", "image": telling}, {"name": "b", "image": silent}]
    request = GenerationRequest(prompt="none", width=64, height=64)
    plan = made(studio, ask("folder", request, images=images, from_picture=["prompt"]))
    assert [p.recipe.prompt for p in pictures(studio, plan)] == ["a cat", "none"]
    assert {p.recipe.mode for p in pictures(studio, plan)} == {Mode.IMG2IMG}


def test_an_unknown_plan_is_not_found(studio: Studio) -> None:
    with pytest.raises(NotFound):
        studio.plans.pause(PlanId("none"))


def test_one_person_has_only_so_many_plans_under_way(tmp_path: Path) -> None:
    studio = make_studio(tmp_path)
    studio.catalog.refresh()
    begun = [studio.plans.begin(ask("many", count=1)) for _ in range(MOST_OPEN)]
    with pytest.raises(LimitReached):
        studio.plans.begin(ask("many", count=1))
    studio.plans.begin(ask("many", count=1), PersonId("ann"))
    studio.plans.start()
    studio.plans.cancel(begun[0].id)
    settled(studio, begun[0].id)
    studio.plans.begin(ask("many", count=1))
    studio.close()
