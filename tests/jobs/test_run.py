"""One job at work: its progress over all batches, and how it ended, all told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image

from tests.jobs.rig import RECIPE, REQUEST
from webui.core.events import Loading, Preview, Progress
from webui.core.job import LOCAL, Job, JobId, JobState
from webui.jobs.eta import Timing, effort
from webui.jobs.made import Made
from webui.jobs.run import Live, Outcome, Run


def run(pictures: int = 1, timings: tuple[Timing, ...] = ()) -> Run:
    job = Job(
        id=JobId("j"),
        owner=LOCAL,
        state=JobState.RUNNING,
        request=replace(REQUEST, batch_count=pictures),
        recipe=RECIPE,
        created_at=0.0,
    )
    return Run(job, timings, "gpu")


@pytest.mark.parametrize(
    ("outcome", "is_cancel_asked", "is_cut_short", "reason", "verdict"),
    [
        (Outcome.MADE, False, False, "", Outcome.MADE),
        (Outcome.MADE, True, False, "", Outcome.MADE),
        (Outcome.MADE, False, True, "", Outcome.STOPPED),
        (Outcome.MADE, False, False, "the folder is gone", Outcome.FAILED),
        (Outcome.RETRY, False, False, "", Outcome.RETRY),
        (Outcome.RETRY, True, False, "", Outcome.CANCELLED),
        (Outcome.STOPPED, True, False, "", Outcome.CANCELLED),
        (Outcome.FAILED, True, False, "the model is damaged", Outcome.FAILED),
        (Outcome.CANCELLED, True, True, "", Outcome.CANCELLED),
    ],
)
def test_how_a_job_ended(
    outcome: Outcome, is_cancel_asked: bool, is_cut_short: bool, reason: str, verdict: Outcome
) -> None:
    ended = run()
    ended.outcome, ended.reason = outcome, reason
    ended.is_cancel_asked, ended.is_cut_short = is_cancel_asked, is_cut_short
    assert ended.verdict() is verdict


def test_progress_counts_pictures_of_earlier_attempts_and_batches() -> None:
    at_work = run(pictures=4)
    at_work.begin(done=1)
    at_work.begin_batch(2)
    half = at_work.advance(Progress(step=2, steps=4))
    assert (half.fraction, half.picture, half.pictures) == (0.5, 2, 4)
    at_work.end_batch(is_whole=True)
    at_work.begin_batch(1)
    assert at_work.advance(Loading(model="m")).fraction == 0.75
    assert at_work.advance(Progress(step=4, steps=4)).fraction == 1.0


def test_loading_is_told_in_words() -> None:
    at_work = run()
    at_work.begin_batch(1)
    progress = at_work.advance(Loading(model="starter"))
    assert (progress.note, progress.step) == ("Loading starter", 0)
    progress = at_work.advance(Loading(model="old", note="Converting old: 40%"))
    assert (progress.note, progress.step) == ("Converting old: 40%", 0)
    assert at_work.advance(Progress(step=1, steps=4)).note == ""
    upscaling = at_work.advance(Progress(step=2, steps=4, note="Upscaling, part 1 of 2"))
    assert (upscaling.note, upscaling.step) == ("Upscaling, part 1 of 2", 2)


def test_each_preview_has_a_higher_version() -> None:
    at_work = run()
    assert at_work.live == Live()
    assert [
        at_work.show(Preview(index=0, jpeg=b"a")),
        at_work.show(Preview(index=0, jpeg=b"b")),
    ] == [1, 2]
    assert at_work.live.preview == b"b"


def test_time_left_comes_from_others_until_the_job_has_its_own_pace() -> None:
    one_second = Timing(model="m", effort=effort(RECIPE, 1), seconds=1.0)
    at_work = run(pictures=10, timings=(one_second,))
    assert at_work.seconds_left() == pytest.approx(10.0)
    at_work.begin_batch(1)
    assert at_work.advance(Progress(step=0, steps=4)).seconds_left == pytest.approx(10.0)
    own = at_work.advance(Progress(step=2, steps=4)).seconds_left
    assert own is not None
    assert own < 1.0  # half a picture took next to no time


def test_a_batch_that_never_began_is_booked_and_teaches_nothing() -> None:
    at_work = run()
    at_work.begin_batch(1)
    spent = at_work.end_batch(is_whole=True)
    assert (spent.engine, spent.is_whole) == ("gpu", False)


def test_a_finished_batch_tells_what_it_took() -> None:
    at_work = run(pictures=2)
    at_work.begin_batch(2)
    at_work.advance(Progress(step=0, steps=4))
    spent = at_work.end_batch(is_whole=True)
    assert (spent.pictures, spent.is_whole, spent.load_s) == (2, True, 0.0)
    assert 0 <= spent.seconds < 5


def test_the_loading_of_a_model_is_told_apart() -> None:
    at_work = run()
    at_work.begin_batch(1)
    at_work.advance(Loading(model="m"))
    at_work.advance(Progress(step=0, steps=4))
    spent = at_work.end_batch(is_whole=True)
    assert 0 < spent.load_s <= spent.seconds


def test_what_was_given_up_for_want_of_memory_is_kept() -> None:
    at_work = run()
    at_work.begin_batch(1)
    at_work.advance(Progress(step=0, steps=4))
    image = Image.new("RGB", (8, 8))
    at_work.take(Made(index=0, image=image, recipe=RECIPE, facts={"memory": "tiles"}))
    assert at_work.end_batch(is_whole=True).memory == "tiles"
