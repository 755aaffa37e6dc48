"""What becomes of accepted jobs: pictures, a reason, or their place in the queue."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.jobs.conftest import NewRig
from tests.jobs.rig import RECIPE, until
from webui.core.errors import NotFound
from webui.core.events import (
    Cancelled,
    Failed,
    Finished,
    JobProgress,
    PictureSaved,
    PreviewReady,
    Queued,
    Started,
    Waiting,
)
from webui.core.job import Job, JobId, JobState, PersonId
from webui.engine.fake import FakeEngine
from webui.engine.faults import AT_START, Fault, FaultKind, Faults
from webui.engine.process import EngineProcess, Limits
from webui.jobs.order import NOBODY
from webui.jobs.store import CUT_SHORT_TWICE

SLOW = 0.02
"""Seconds per step that leave time to look at a running job."""


def faulty(kind: FaultKind, times: int = 0, step: int = 2, prompt: str = "") -> FakeEngine:
    fault = Fault(kind=kind, step=step, times=times, prompt=prompt)
    return FakeEngine(faults=Faults([fault]))


def test_a_job_becomes_pictures_and_events_in_order(new_rig: NewRig) -> None:
    rig = new_rig()
    job = rig.submit(batch_size=2, batch_count=2)
    assert rig.finished(job).state is JobState.DONE
    assert rig.pictures(job) == [0, 1, 2, 3]
    lasting = rig.events(job, Queued, Started, Finished)
    assert [type(event) for event in lasting] == [Queued, Started, Finished]
    saved = rig.events(job, PictureSaved)
    assert sorted(event.index for event in saved if isinstance(event, PictureSaved)) == [0, 1, 2, 3]
    assert rig.events(job)[0] == Queued()
    assert isinstance(rig.events(job)[-1], Finished)


def test_the_history_keeps_what_lasts(new_rig: NewRig) -> None:
    rig = new_rig()
    job = rig.finished(rig.submit())
    history = rig.store.history(job.id)
    assert [type(event) for event in history] == [Queued, Started, PictureSaved, Finished]
    assert history == rig.events(job, Queued, Started, PictureSaved, Finished)


def test_jobs_run_in_the_order_they_came(new_rig: NewRig) -> None:
    rig = new_rig(is_started=False)
    jobs = [rig.submit(f"number {number}") for number in range(5)]
    assert [job.id for job in rig.store.open_jobs()] == [job.id for job in jobs]
    rig.dispatcher.start()
    for job in jobs:
        rig.finished(job)
    started = [m.job_id for m in rig.messages if isinstance(m.event, Started)]
    assert started == [job.id for job in jobs]


def test_each_picture_has_its_own_seed(new_rig: NewRig) -> None:
    rig = new_rig()
    job = rig.finished(rig.submit(batch_size=2))
    first, second = (Image.open(rig.folder / f"{job.id}-{i}.png").tobytes() for i in (0, 1))
    assert first != second


def test_progress_grows_to_the_end_over_all_batches(new_rig: NewRig) -> None:
    rig = new_rig()
    job = rig.finished(rig.submit(batch_size=2, batch_count=3))
    progress = [e for e in rig.events(job, JobProgress) if isinstance(e, JobProgress)]
    fractions = [event.fraction for event in progress]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert progress[0].note == "Loading m"
    assert {event.picture for event in progress} == {1, 3, 5}
    assert all(event.pictures == 6 for event in progress)


def test_a_running_job_shows_its_progress_and_preview(new_rig: NewRig) -> None:
    rig = new_rig(FakeEngine(seconds_per_step=SLOW))
    job = rig.submit(steps=100)
    live = until(lambda: (now := rig.dispatcher.live(job.id)) and now.preview and now)
    assert live.version >= 1
    assert live.progress is not None
    assert live.preview is not None
    assert live.preview.startswith(b"\xff\xd8")
    assert rig.events(job, PreviewReady)[0] == PreviewReady(version=1)
    rig.dispatcher.cancel(job.id)
    rig.finished(job)
    until(lambda: rig.dispatcher.live(job.id) is None)


def test_the_engine_goes_on_while_pictures_are_saved(new_rig: NewRig) -> None:
    rig = new_rig()
    rig.album.saves_may_go_on.clear()
    first, second = rig.submit(), rig.submit()
    until(lambda: rig.events(second, Started))
    assert rig.store.get(first.id).state is JobState.SAVING
    rig.album.saves_may_go_on.set()
    assert rig.finished(first).state is JobState.DONE
    assert rig.finished(second).state is JobState.DONE


def test_a_queued_job_can_be_cancelled(new_rig: NewRig) -> None:
    rig = new_rig(is_started=False)
    job, other = rig.submit(), rig.submit()
    assert rig.dispatcher.cancel(job.id).state is JobState.CANCELLED
    rig.dispatcher.start()
    rig.finished(other)
    assert rig.pictures(job) == []
    assert [type(event) for event in rig.store.history(job.id)] == [Queued, Cancelled]


def test_a_cancelled_job_keeps_its_finished_pictures(new_rig: NewRig) -> None:
    rig = new_rig(FakeEngine(seconds_per_step=SLOW))
    job = rig.submit(steps=4, batch_count=100)
    until(lambda: rig.pictures(job))
    rig.dispatcher.cancel(job.id)
    assert rig.finished(job).state is JobState.CANCELLED
    kept = rig.pictures(job)
    assert 1 <= len(kept) < 100
    assert len(rig.events(job, PictureSaved)) == len(kept)
    assert rig.events(job)[-1] == Cancelled()


def test_a_job_that_is_over_stays_as_it_is_when_cancelled(new_rig: NewRig) -> None:
    rig = new_rig()
    job = rig.finished(rig.submit())
    assert rig.dispatcher.cancel(job.id) == job
    assert rig.events(job, Cancelled) == []


def test_cancelling_an_unknown_job_says_so(new_rig: NewRig) -> None:
    with pytest.raises(NotFound):
        new_rig().dispatcher.cancel(JobId("nothing"))


@pytest.mark.parametrize("kind", [FaultKind.CRASH, FaultKind.HANG, FaultKind.DEVICE])
def test_a_job_is_tried_again_when_the_engine_fails_once(new_rig: NewRig, kind: FaultKind) -> None:
    rig = new_rig(faulty(kind, times=1))
    job = rig.finished(rig.submit())
    assert job.state is JobState.DONE
    assert (job.attempts, job.recovered) == (2, True)
    attempts = [e.attempt for e in rig.events(job, Started) if isinstance(e, Started)]
    assert attempts == [1, 2]


def test_a_job_that_fells_the_engine_twice_is_not_tried_a_third_time(new_rig: NewRig) -> None:
    rig = new_rig(faulty(FaultKind.CRASH, prompt="poison"))
    poison, good = rig.submit("poison"), rig.submit()
    failed = rig.finished(poison)
    assert failed.state is JobState.FAILED
    assert failed.attempts == 2
    assert failed.reason.startswith("The engine stopped twice while making this picture")
    assert len(rig.events(poison, Started)) == 2
    assert rig.finished(good).state is JobState.DONE


def test_out_of_memory_fails_at_once_with_the_way_out(new_rig: NewRig) -> None:
    rig = new_rig(faulty(FaultKind.OUT_OF_MEMORY))
    job = rig.finished(rig.submit())
    assert job.attempts == 1
    assert job.reason == "The test device has too little memory. Try a smaller size."
    assert rig.events(job)[-1] == Failed(reason=job.reason)


@pytest.mark.parametrize("kind", [FaultKind.CRASH, FaultKind.OUT_OF_MEMORY, FaultKind.BUG])
def test_the_seconds_of_a_failed_job_are_booked(new_rig: NewRig, kind: FaultKind) -> None:
    fault = Fault(kind=kind, step=3, times=0)
    rig = new_rig(FakeEngine(seconds_per_step=SLOW, faults=Faults([fault])))
    job = rig.finished(rig.submit())
    assert job.state is JobState.FAILED
    assert job.gpu_seconds >= 2 * SLOW * job.attempts
    assert rig.store.usage.last_day(job.owner) == pytest.approx(job.gpu_seconds)


def test_the_seconds_of_a_cancelled_job_are_booked(new_rig: NewRig) -> None:
    rig = new_rig(FakeEngine(seconds_per_step=SLOW))
    job = rig.submit(steps=100)
    until(lambda: rig.events(job, PreviewReady))
    rig.dispatcher.cancel(job.id)
    assert rig.finished(job).gpu_seconds >= SLOW
    assert rig.store.usage.timings() == [], "half a batch tells nothing of others"


def test_all_jobs_of_a_person_are_cancelled_at_once(new_rig: NewRig) -> None:
    rig = new_rig(FakeEngine(seconds_per_step=SLOW))
    mine = [rig.submit(steps=100) for _ in range(3)]
    other = rig.submit(steps=1, owner=PersonId("anna"))
    until(lambda: rig.events(mine[0], Started))
    assert rig.dispatcher.cancel_all(mine[0].owner) == 3
    for job in mine:
        assert rig.finished(job).state is JobState.CANCELLED
    assert rig.finished(other).state is JobState.DONE


def test_the_queue_pauses_after_the_job_at_work(new_rig: NewRig) -> None:
    rig = new_rig(FakeEngine(seconds_per_step=SLOW))
    running, waits = rig.submit(steps=20), rig.submit()
    until(lambda: rig.events(running, Started))
    with rig.dispatcher.reordering():
        rig.store.order.pause_person(NOBODY, is_paused=True)
    assert rig.finished(running).state is JobState.DONE
    assert rig.store.get(waits.id).state is JobState.QUEUED
    with rig.dispatcher.reordering():
        rig.store.order.pause_person(NOBODY, is_paused=False)
    assert rig.finished(waits).state is JobState.DONE


def test_a_model_that_cant_be_used_fails_at_once(new_rig: NewRig) -> None:
    rig = new_rig(faulty(FaultKind.UNREADABLE, times=1))
    job = rig.finished(rig.submit())
    assert (job.state, job.attempts) == (JobState.FAILED, 1)
    assert job.reason == "The model “test” can't be used: it is damaged. Download it again."


def test_an_error_nobody_thought_of_fails_the_job_and_not_the_queue(new_rig: NewRig) -> None:
    rig = new_rig(faulty(FaultKind.BUG, times=1))
    job, next_job = rig.submit(), rig.submit()
    failed = rig.finished(job)
    assert failed.reason.startswith("Something went wrong inside Gesso: KeyError")
    assert rig.finished(next_job).state is JobState.DONE


def test_a_picture_that_cant_be_saved_fails_its_job_only(new_rig: NewRig) -> None:
    rig = new_rig(is_started=False)
    job, good = rig.submit(), rig.submit()
    rig.album.refused = job.id
    rig.dispatcher.start()
    failed = rig.finished(job)
    assert failed.state is JobState.FAILED
    assert failed.reason.startswith("The picture could not be saved: PermissionError")
    assert rig.finished(good).state is JobState.DONE


def test_a_full_disk_before_a_job_leaves_it_queued_until_there_is_room(new_rig: NewRig) -> None:
    rig = new_rig(room=0)
    job = rig.submit()
    assert until(rig.dispatcher.waiting) == "The disk is full. Delete something."
    assert rig.store.get(job.id).state is JobState.QUEUED
    rig.album.room = 5
    rig.dispatcher.wake()
    assert rig.finished(job).state is JobState.DONE
    until(lambda: not rig.dispatcher.waiting())
    reasons = [m.event.reason for m in rig.messages if isinstance(m.event, Waiting)]
    assert reasons == ["The disk is full. Delete something.", ""]


def test_a_full_disk_at_a_save_keeps_the_picture_in_memory(new_rig: NewRig) -> None:
    rig = new_rig(room=1)
    job, next_job = rig.submit(batch_size=3), rig.submit()
    until(lambda: rig.pictures(job) and rig.dispatcher.waiting())
    until(lambda: rig.store.get(job.id).state is JobState.SAVING)
    assert rig.store.get(next_job.id).state is JobState.QUEUED
    rig.album.room = 10
    rig.dispatcher.wake()
    assert rig.finished(job).state is JobState.DONE
    assert rig.pictures(job) == [0, 1, 2]
    assert len(rig.events(job, Started)) == 1
    assert rig.finished(next_job).state is JobState.DONE


def test_a_job_can_be_cancelled_while_the_disk_is_full(new_rig: NewRig) -> None:
    rig = new_rig(room=1)
    job = rig.submit(batch_count=50)
    until(lambda: rig.pictures(job) == [0] and rig.dispatcher.waiting())
    rig.dispatcher.cancel(job.id)
    rig.album.room = 100
    rig.dispatcher.wake()
    assert rig.finished(job).state is JobState.CANCELLED


def test_an_orderly_end_puts_the_job_back_and_counts_no_attempt(new_rig: NewRig) -> None:
    rig = new_rig(FakeEngine(seconds_per_step=SLOW))
    job = rig.submit(steps=4, batch_count=30)
    until(lambda: rig.pictures(job))
    rig.dispatcher.close()
    left = rig.store.get(job.id)
    assert (left.state, left.attempts, left.recovered) == (JobState.QUEUED, 0, True)
    kept = rig.pictures(job)
    again = new_rig()
    assert again.finished(job).state is JobState.DONE
    assert again.pictures(job) == list(range(30))
    made_again = [e.index for e in again.events(job, PictureSaved) if isinstance(e, PictureSaved)]
    assert set(made_again).isdisjoint(kept)


def test_any_number_of_orderly_ends_never_fails_a_job(new_rig: NewRig) -> None:
    job: Job | None = None
    for _ in range(4):
        rig = new_rig(FakeEngine(seconds_per_step=0.05))
        job = job or rig.submit(steps=100)
        until(lambda: rig.store.get(job.id).state is JobState.RUNNING)  # noqa: B023
        rig.dispatcher.close()
    assert job is not None
    assert new_rig().finished(job).state is JobState.DONE


def test_a_full_disk_at_an_orderly_end_leaves_the_job_to_the_next_start(new_rig: NewRig) -> None:
    rig = new_rig(room=1)
    job = rig.submit(batch_size=2)
    until(lambda: rig.dispatcher.waiting() and rig.pictures(job))
    rig.dispatcher.close()
    assert rig.store.get(job.id).state is JobState.QUEUED
    again = new_rig()
    assert again.finished(job).state is JobState.DONE
    assert again.pictures(job) == [0, 1]


def test_after_a_kill_only_missing_pictures_are_made(new_rig: NewRig) -> None:
    killed = new_rig(is_started=False)
    job = killed.submit(batch_size=4)
    killed.store.claim("fake")  # and the process is gone: nothing else is written
    saved = [(index, RECIPE.at(index)) for index in (0, 2)]
    for index, recipe in saved:
        killed.album.save(job, index, Image.new("RGB", (recipe.width, recipe.height)), {})
    rig = new_rig()
    done = rig.finished(job)
    assert (done.state, done.attempts, done.recovered) == (JobState.DONE, 2, True)
    assert done.recipe.seed == job.recipe.seed
    made = [e.index for e in rig.events(job, PictureSaved) if isinstance(e, PictureSaved)]
    assert sorted(made) == [1, 3]


def test_after_a_kill_a_job_whose_pictures_are_all_saved_is_done(new_rig: NewRig) -> None:
    killed = new_rig(is_started=False)
    job = killed.submit()
    killed.store.claim("fake")
    killed.album.save(job, 0, Image.new("RGB", (64, 64)), {})
    rig = new_rig()
    assert rig.store.get(job.id).state is JobState.DONE
    assert rig.events(job, Started) == []


def test_a_job_killed_twice_has_failed_with_its_reason(new_rig: NewRig) -> None:
    job = new_rig(is_started=False).submit()
    for _ in range(2):
        killed = new_rig(is_started=False)
        killed.store.recover()
        killed.store.claim("fake")
    rig = new_rig()
    failed = rig.store.get(job.id)
    assert (failed.state, failed.reason) == (JobState.FAILED, CUT_SHORT_TWICE)


def test_a_job_waits_while_the_engine_cant_start(new_rig: NewRig, tmp_path: Path) -> None:
    fault = {"kind": "device", "step": AT_START, "times": 5}
    engine = EngineProcess(
        "lame",
        "webui.engine.fake:create",
        {"faults": [fault], "tally": str(tmp_path)},
        Limits(backoff_s=0.1),
    )
    rig = new_rig(engine)
    job = rig.submit()
    assert until(rig.dispatcher.waiting).startswith("The engine can't start")
    assert rig.store.get(job.id).state is JobState.QUEUED
    assert rig.finished(job).state is JobState.DONE
    assert rig.dispatcher.waiting() == ""


def test_an_album_out_of_reach_stops_the_queue_and_says_so(new_rig: NewRig) -> None:
    rig = new_rig(is_started=False)
    rig.album.is_reachable = False
    job = rig.submit()
    rig.dispatcher.start()
    assert "The drive is gone" in until(rig.dispatcher.waiting)
    assert rig.store.get(job.id).state is JobState.QUEUED
    rig.album.is_reachable = True
    rig.dispatcher.wake()
    assert rig.finished(job).state is JobState.DONE
    until(lambda: rig.dispatcher.waiting() == "")


def test_two_engines_share_the_queue(new_rig: NewRig) -> None:
    rig = new_rig(
        FakeEngine("left", seconds_per_step=SLOW), FakeEngine("right", seconds_per_step=SLOW)
    )
    jobs = [rig.submit() for _ in range(6)]
    for job in jobs:
        assert rig.finished(job).state is JobState.DONE
    started = [m.event.engine for m in rig.messages if isinstance(m.event, Started)]
    assert sorted(set(started)) == ["left", "right"]
    assert len(started) == 6


def test_time_left_is_learned_and_counts_those_ahead(new_rig: NewRig) -> None:
    rig = new_rig(FakeEngine(seconds_per_step=SLOW))
    unknown = rig.submit(steps=5)
    assert rig.dispatcher.seconds_left(unknown.id) is None
    rig.finished(unknown)
    until(lambda: not rig.store.open_jobs())
    running, queued = rig.submit(steps=100), rig.submit(steps=100)
    until(lambda: rig.events(running, Started))
    own, both = rig.dispatcher.seconds_left(running.id), rig.dispatcher.seconds_left(queued.id)
    assert own is not None
    assert both is not None
    assert 0.5 < own < 20
    assert both > own
    for job in (queued, running):
        rig.dispatcher.cancel(job.id)
    rig.finished(running)
    assert rig.dispatcher.seconds_left(running.id) is None


def test_time_left_is_known_from_the_last_life_of_the_server(new_rig: NewRig) -> None:
    rig = new_rig()
    rig.finished(rig.submit())
    rig.dispatcher.close()
    again = new_rig(is_started=False)
    job = again.submit()
    again.dispatcher.start()
    assert again.finished(job).state is JobState.DONE
    first = next(e for e in again.events(job, JobProgress) if isinstance(e, JobProgress))
    assert first.seconds_left is not None
