"""The jobs table: what it keeps, in which order, and what a damaged or foreign file does."""

from __future__ import annotations

import logging
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.jobs.rig import RECIPE, REQUEST
from webui.core.errors import DiskFull, GessoError, NotFound
from webui.core.events import Cancelled, Failed, Finished, PictureSaved, Queued, Started
from webui.core.job import LOCAL, Job, JobId, JobState, PersonId
from webui.core.request import GenerationRequest, InputId, Mask, Mode, Source
from webui.jobs.store import CUT_SHORT_TWICE, UNREADABLE_JOB, JobStore

ANNA = PersonId("anna")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "jobs.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[JobStore]:
    opened = JobStore(path)
    yield opened
    opened.close()


def add(store: JobStore, owner: PersonId = LOCAL, request: GenerationRequest = REQUEST) -> Job:
    return store.add(request, RECIPE, owner)


def claim(store: JobStore, engine: str = "gpu") -> Job:
    job = store.claim(engine)
    assert job is not None
    return job


def killed_while_running(path: Path) -> Job:
    """A job that a server had claimed when it was killed."""
    store = JobStore(path)
    add(store)
    job = claim(store)
    store.close()  # says nothing about the job, like a kill
    return job


def test_what_is_added_is_read_back_whole(store: JobStore, path: Path) -> None:
    full = replace(
        REQUEST,
        source=Source(image=InputId("a" * 64), denoising_strength=0.4),
        mask=Mask(image=InputId("b" * 64), inverted=True),
    )
    recipe = replace(RECIPE, prompt="äpfel “rot” 🍎", source=full.source, mask=full.mask)
    job = store.add(full, recipe, ANNA)
    other = JobStore(path)
    read = other.get(job.id)
    other.close()
    assert read == job
    assert (read.request, read.recipe, read.owner) == (full, recipe, ANNA)
    assert (read.state, read.attempts, read.recovered) == (JobState.QUEUED, 0, False)
    assert (read.reason, read.finished_at) == ("", None)


def test_ids_sort_by_time_and_never_repeat(store: JobStore) -> None:
    ids = [add(store).id for _ in range(50)]
    assert len(set(ids)) == 50
    assert [id[:11] for id in ids] == sorted(id[:11] for id in ids)


def test_an_unknown_job_is_not_found(store: JobStore) -> None:
    with pytest.raises(NotFound, match="There is no job “nothing”"):
        store.get(JobId("nothing"))


def test_the_same_key_gives_back_the_first_job(store: JobStore) -> None:
    first = store.add(REQUEST, RECIPE, LOCAL, dedupe_key="one press")
    second = store.add(REQUEST, RECIPE, LOCAL, dedupe_key="one press")
    assert second == first
    assert store.history(first.id) == [Queued()]
    assert store.add(REQUEST, RECIPE, LOCAL).id != first.id


def test_jobs_are_claimed_in_turn_and_once(store: JobStore) -> None:
    first, second = add(store), add(store)
    claimed = [claim(store, "gpu 0"), claim(store, "gpu 1")]
    assert [job.id for job in claimed] == [first.id, second.id]
    assert all(job.state is JobState.RUNNING and job.attempts == 1 for job in claimed)
    assert store.claim("gpu 0") is None
    assert store.history(first.id)[-1] == Started(engine="gpu 0", attempt=1, recovered=False)


def test_many_threads_never_claim_one_job_twice(store: JobStore) -> None:
    jobs = {add(store).id for _ in range(60)}
    claimed: list[JobId] = []

    def work() -> None:
        while (job := store.claim("gpu")) is not None:
            claimed.append(job.id)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == 60
    assert set(claimed) == jobs


def test_whether_any_job_waits(store: JobStore) -> None:
    assert not store.has_ready()
    add(store)
    assert store.has_ready()
    claim(store)
    assert not store.has_ready()


def test_a_job_goes_from_running_over_saving_to_done(store: JobStore) -> None:
    add(store)
    job = claim(store)
    assert store.saving(job.id).state is JobState.SAVING
    done = store.finish(job.id, seconds=2.5)
    assert done.state is JobState.DONE
    assert done.finished_at is not None
    assert store.history(job.id)[-1] == Finished(seconds=2.5)


def test_a_job_that_is_over_never_changes(store: JobStore) -> None:
    add(store)
    job = store.finish(claim(store).id, seconds=1)
    history = store.history(job.id)
    for same in (
        store.cancel(job.id),
        store.fail(job.id, "too late"),
        store.requeue(job.id, counts=True),
        store.saving(job.id),
        store.finish(job.id, seconds=9),
    ):
        assert same == job
    assert store.history(job.id) == history


def test_a_failed_job_keeps_its_reason(store: JobStore) -> None:
    add(store)
    failed = store.fail(claim(store).id, "The model is damaged.")
    assert (failed.state, failed.reason) == (JobState.FAILED, "The model is damaged.")
    assert store.history(failed.id)[-1] == Failed(reason="The model is damaged.")


def test_a_queued_job_can_be_cancelled(store: JobStore) -> None:
    job = add(store)
    assert store.cancel(job.id).state is JobState.CANCELLED
    assert store.history(job.id) == [Queued(), Cancelled()]
    assert store.claim("gpu") is None


@pytest.mark.parametrize(("counts", "attempts"), [(True, 1), (False, 0)])
def test_a_requeued_job_gets_its_old_place(store: JobStore, counts: bool, attempts: int) -> None:
    first, second = add(store), add(store)
    claim(store)
    again = store.requeue(first.id, counts=counts)
    assert (again.state, again.attempts, again.recovered) == (JobState.QUEUED, attempts, True)
    assert claim(store).id == first.id
    assert claim(store).id == second.id


def test_open_jobs_come_in_the_order_of_their_turn(store: JobStore) -> None:
    over, running, saving, waiting = (add(store) for _ in range(4))
    store.cancel(over.id)
    claim(store)
    store.saving(claim(store).id)
    last = add(store)
    order = [running.id, saving.id, waiting.id, last.id]
    assert [job.id for job in store.open_jobs()] == order


def test_recent_jobs_are_ones_own_newest_first(store: JobStore) -> None:
    source = replace(REQUEST, source=Source(image=InputId("a" * 64)))
    first, img2img, third = add(store), add(store, request=source), add(store)
    annas = add(store, ANNA)
    assert [job.id for job in store.recent(LOCAL)] == [third.id, img2img.id, first.id]
    assert [job.id for job in store.recent(LOCAL, limit=1)] == [third.id]
    assert [job.id for job in store.recent(LOCAL, Mode.IMG2IMG)] == [img2img.id]
    assert [job.id for job in store.recent(ANNA)] == [annas.id]


def test_events_are_kept_in_order(store: JobStore) -> None:
    job = add(store)
    saved = [PictureSaved(picture_id=f"p{index}", index=index) for index in range(12)]
    for event in saved:
        store.note(job.id, event)
    assert store.history(job.id) == [Queued(), *saved]


def test_after_a_kill_the_running_job_is_queued_once_more(path: Path) -> None:
    job = killed_while_running(path)
    store = JobStore(path)
    assert [interrupted.id for interrupted in store.interrupted()] == [job.id]
    (again,) = store.recover()
    assert (again.state, again.attempts, again.recovered) == (JobState.QUEUED, 1, True)
    assert again.recipe == job.recipe
    assert store.interrupted() == []
    store.close()


def test_after_two_kills_the_job_has_failed(path: Path) -> None:
    killed_while_running(path)
    second = JobStore(path)
    second.recover()
    claim(second)
    second.close()
    third = JobStore(path)
    (failed,) = third.recover()
    assert (failed.state, failed.reason) == (JobState.FAILED, CUT_SHORT_TWICE)
    third.close()


def test_recovery_leaves_the_servers_own_jobs_alone(store: JobStore) -> None:
    add(store)
    job = claim(store)
    assert store.recover() == []
    assert store.get(job.id).state is JobState.RUNNING


def test_the_order_does_not_depend_on_the_clock(store: JobStore, path: Path) -> None:
    first, second = add(store), add(store)
    with sqlite3.connect(path) as rows:
        rows.execute("UPDATE job SET created_at = created_at + 1e6 WHERE id = ?", (first.id,))
    rows.close()
    assert [job.id for job in store.open_jobs()] == [first.id, second.id]
    assert claim(store).id == first.id


@pytest.mark.parametrize("damage", ["header", "page", "empty text"])
def test_a_damaged_file_is_set_aside_and_a_new_one_begun(
    path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    killed_while_running(path)
    data = bytearray(path.read_bytes())
    if damage == "header":
        data[:100] = b"x" * 100
    elif damage == "page":
        data[4096:8192] = b"\xff" * 4096
    else:
        data[:] = b"This is no database, but long enough to look like one." * 10
    path.write_bytes(data)
    with caplog.at_level(logging.ERROR):
        store = JobStore(path)
    assert store.open_jobs() == []
    add(store)
    store.close()
    (aside,) = [file for file in path.parent.iterdir() if ".damaged-" in file.name]
    assert aside.read_bytes() == bytes(data)
    assert "was damaged" in caplog.text


def test_a_file_of_a_later_version_is_left_alone(path: Path) -> None:
    killed_while_running(path)
    with sqlite3.connect(path) as rows:
        rows.execute("PRAGMA user_version = 99")
    rows.close()
    with pytest.raises(GessoError, match="later version of Gesso"):
        JobStore(path)
    assert [file.name for file in path.parent.iterdir() if "damaged" in file.name] == []


def test_a_file_that_cant_be_opened_says_what_to_do(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(DiskFull, match=r"can't be written .* Free some room"):
        JobStore(path)


def test_a_job_that_cant_be_read_any_more_fails_and_hides_no_other(
    store: JobStore, path: Path
) -> None:
    strange, good = add(store), add(store)
    with sqlite3.connect(path) as rows:
        rows.execute("UPDATE job SET recipe = '{\"steps\": 9999}' WHERE id = ?", (strange.id,))
    rows.close()
    assert [job.id for job in store.open_jobs()] == [good.id]
    assert claim(store).id == good.id
    with sqlite3.connect(path) as rows:
        (state, reason) = rows.execute(
            "SELECT state, reason FROM job WHERE id = ?", (strange.id,)
        ).fetchone()
    rows.close()
    assert state == "failed"
    assert reason.startswith(UNREADABLE_JOB)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_when_nothing_can_be_written_nothing_is_changed(store: JobStore) -> None:
    job = add(store)
    with file_size_limit(1024):
        with pytest.raises(DiskFull, match="The list of jobs can't be written"):
            add(store)
        with pytest.raises(DiskFull):
            store.claim("gpu")
        assert store.open_jobs() == [job]
    assert claim(store).id == job.id
    add(store)
    assert len(store.open_jobs()) == 2


@contextmanager
def file_size_limit(size_bytes: int) -> Iterator[None]:
    """No file can be written beyond this size: for SQLite, the disk is full."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
