"""What extensions in the engine add to a job, and what becomes of it when things end too soon."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.asking import MAKE
from tests.jobs.rig import RECIPE, Rig, batch, until
from webui.core.engine import Legacy, UsedExtension, Work
from webui.core.events import Called
from webui.core.job import Job, JobState
from webui.core.request import GenerationRequest
from webui.engine.fake import FakeEngine
from webui.engine.faults import Fault, FaultKind, Faults
from webui.jobs.doors import JobDoors

ADDS = """
from PIL import ImageOps
from webui.extend import hook

@hook
def batch_end(items):
    return [*items, *map(ImageOps.invert, items)]
"""
Prepare = Callable[[Job, Sequence[int]], Work]


@pytest.fixture
def adds(tmp_path: Path) -> Prepare:
    """Batches of an extension that adds a picture to each."""
    file = tmp_path / "adds.py"
    file.write_text(ADDS)
    used = UsedExtension(id="adds", name="Adds", file=file, stamp="1", data=tmp_path)
    return lambda job, indices: replace(batch(job, indices), extensions=(used,))


@pytest.fixture
def open_rig(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    """Opens queues on one folder, one after the other."""
    rigs: list[Rig] = []

    def make(*engines: FakeEngine, **more: object) -> Rig:
        rig = Rig(tmp_path, *engines, **more)
        rigs.append(rig)
        rig.dispatcher.start()
        return rig

    yield make
    for rig in rigs:
        rig.close()


def test_what_a_batch_adds_lies_behind_the_pictures_asked_for(
    open_rig: Callable[..., Rig], adds: Prepare
) -> None:
    rig = open_rig(prepare=adds)
    job = rig.finished(rig.submit(batch_size=2, batch_count=2))
    assert job.state is JobState.DONE
    # of the batches 0, 1 and 2, 3 each adds two, which belong to its last picture
    assert rig.pictures(job) == [0, 1, 2, 3, 1 + 4, 3 + 4, 1 + 8, 3 + 8]


def test_a_picture_that_was_cut_off_from_what_belongs_to_it_is_made_again(
    open_rig: Callable[..., Rig], adds: Prepare
) -> None:
    """The added picture is on disk, the one asked for found no room: nothing is twice or lost."""
    rig = open_rig(prepare=adds, room=1)
    job = rig.submit()
    until(lambda: rig.pictures(job) and rig.dispatcher.waiting())
    assert rig.pictures(job) == [1]
    rig.close()
    again = open_rig(prepare=adds)
    assert again.finished(job).state is JobState.DONE
    assert again.pictures(job) == [0, 1]


def test_a_crash_of_the_engine_doubles_nothing(
    open_rig: Callable[..., Rig], adds: Prepare, tmp_path: Path
) -> None:
    crash = Fault(kind=FaultKind.CRASH, step=3, times=1)
    rig = open_rig(FakeEngine(faults=Faults([crash], tmp_path)), prepare=adds)
    job = rig.finished(rig.submit(batch_count=2))
    assert job.state is JobState.DONE
    assert rig.pictures(job) == [0, 1, 2, 3]


def legacy(job: Job, indices: Sequence[int]) -> Work:
    """The whole job goes through what stands in for old scripts."""
    told = Legacy(request=job.request, folders=(), inputs={}, script=None, options={}, data=Path())
    return replace(batch(job, indices), legacy=told)


def test_old_scripts_get_the_whole_job_and_what_they_ask_for(
    open_rig: Callable[..., Rig],
) -> None:
    asked: list[str] = []

    def work(job: Job, request: GenerationRequest, pictures: object) -> Work:
        asked.append(request.prompt)
        recipe = replace(RECIPE, prompt=request.prompt)
        return replace(batch(job, [0]), recipes=(recipe,))

    engine = FakeEngine(legacy=MAKE)
    rig = open_rig(engine, prepare=legacy, doors=JobDoors(work=work))
    job = rig.finished(rig.submit(batch_count=3))
    assert job.state is JobState.DONE
    assert asked == ["inner words"] * 3
    pictures = rig.album.of_job(job.id)
    assert [picture.index for picture in pictures[:3]] == [0, 1, 2]
    assert len(pictures) == 6


def test_a_refusal_of_the_studio_reaches_an_old_script(open_rig: Callable[..., Rig]) -> None:
    rig = open_rig(FakeEngine(legacy=MAKE), prepare=legacy)
    job = rig.finished(rig.submit())
    assert job.state is JobState.DONE
    _, told = rig.album.of_job(job.id)
    assert told.facts["refused"] == "This queue makes no pictures for extensions. Use a studio's."


def test_an_old_script_that_ends_early_ends_the_job(open_rig: Callable[..., Rig]) -> None:
    engine = FakeEngine(legacy="tests.engine.asking:make_one")
    rig = open_rig(engine, prepare=legacy)
    job = rig.finished(rig.submit(batch_count=3))
    assert (job.state, rig.pictures(job)) == (JobState.DONE, [0])


def test_how_a_picture_was_really_made_is_what_is_kept(open_rig: Callable[..., Rig]) -> None:
    engine = FakeEngine(legacy="tests.engine.asking:make_other")
    rig = open_rig(engine, prepare=legacy)
    job = rig.finished(rig.submit())
    (picture,) = rig.album.of_job(job.id)
    assert picture.recipe.prompt == "other words"


def test_calls_in_the_engine_are_told(open_rig: Callable[..., Rig], adds: Prepare) -> None:
    told: list[Called] = []
    rig = open_rig(prepare=adds, doors=JobDoors(report=lambda called, job: told.append(called)))
    rig.finished(rig.submit())
    assert [(each.extension, each.hook, each.error) for each in told] == [("adds", "batch_end", "")]
