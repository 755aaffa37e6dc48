"""The order of the queue on disk: turns, one's own order, pauses, times; also after a kill."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.jobs.rig import RECIPE, REQUEST
from webui.core.job import Job, JobId, JobState, PersonId
from webui.jobs.order import HEADS, NOBODY, Move
from webui.jobs.schema import FIRST
from webui.jobs.store import CUT_SHORT_TWICE, JobStore, Terms

ANNA, BEN, CLEO = PersonId("anna"), PersonId("ben"), PersonId("cleo")
HOUR_S = 3600.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JobStore]:
    opened = JobStore(tmp_path / "jobs.sqlite")
    yield opened
    opened.close()


def add(store: JobStore, owner: PersonId = ANNA, terms: Terms | None = None) -> Job:
    return store.add(REQUEST, RECIPE, owner, terms=terms)


def claimed(store: JobStore, jobs: int = 1000) -> list[JobId]:
    """The ids in the order in which an engine gets them."""
    found: list[JobId] = []
    while len(found) < jobs and (job := store.claim("gpu")) is not None:
        found.append(job.id)
    return found


def test_people_take_turns_however_many_jobs_one_has(store: JobStore) -> None:
    many = [add(store).id for _ in range(50)]
    first, second = add(store, BEN).id, add(store, BEN).id
    other = add(store, CLEO).id
    assert claimed(store, 6) == [many[0], first, other, many[1], second, many[2]]


def test_who_comes_later_waits_for_one_job_of_each_at_most(store: JobStore) -> None:
    for _ in range(50):
        add(store)
        add(store, BEN)
    claimed(store, 21)
    late = add(store, CLEO).id
    assert late in claimed(store, 3)


def test_ones_own_jobs_can_be_moved(store: JobStore) -> None:
    a, b, c, d = (add(store).id for _ in range(4))
    store.order.move(c, Move.UP)
    store.order.move(a, Move.BOTTOM)
    store.order.move(d, Move.TOP)
    store.order.move(c, Move.DOWN)
    newest = add(store).id
    assert claimed(store) == [d, b, c, a, newest]


def test_a_move_at_the_end_changes_nothing(store: JobStore) -> None:
    a, b = add(store).id, add(store).id
    store.order.move(a, Move.UP)
    store.order.move(b, Move.DOWN)
    store.order.move(JobId("nothing"), Move.TOP)
    assert claimed(store) == [a, b]


def test_an_urgent_job_comes_before_ones_own_only(store: JobStore) -> None:
    bens = add(store, BEN).id
    waits = add(store).id
    urgent = add(store, terms=Terms(is_urgent=True)).id
    assert claimed(store) == [bens, urgent, waits]


def test_a_paused_job_lets_others_pass_until_it_goes_on(store: JobStore) -> None:
    paused, other = add(store, terms=Terms(is_paused=True)).id, add(store).id
    assert claimed(store) == [other]
    assert not store.has_ready()
    store.order.pause_job(paused, is_paused=False)
    assert store.has_ready()
    assert claimed(store) == [paused]


def test_a_person_can_pause_all_of_theirs(store: JobStore) -> None:
    mine, bens = add(store).id, add(store, BEN).id
    store.order.pause_person(ANNA, is_paused=True)
    assert store.order.is_paused(ANNA)
    assert claimed(store) == [bens]
    store.order.pause_person(ANNA, is_paused=False)
    assert claimed(store) == [mine]


def test_the_whole_queue_can_be_paused(store: JobStore, tmp_path: Path) -> None:
    job = add(store).id
    store.order.pause_person(NOBODY, is_paused=True)
    again = JobStore(tmp_path / "jobs.sqlite")
    assert (claimed(again), again.has_ready(), again.order.is_queue_paused()) == ([], False, True)
    again.order.pause_person(NOBODY, is_paused=False)
    assert claimed(again) == [job]
    again.close()


def test_a_job_begins_at_its_time_at_the_earliest(store: JobStore) -> None:
    later = add(store, terms=Terms(not_before=time.time() + HOUR_S)).id
    now = add(store, terms=Terms(not_before=time.time() - HOUR_S)).id
    assert claimed(store) == [now]
    assert not store.has_ready()
    store.order.not_before(later, 0)
    assert claimed(store) == [later]
    assert claimed(store) == []


def test_the_owner_can_give_somebody_the_next_turn(store: JobStore) -> None:
    for owner in (ANNA, BEN, CLEO):
        for _ in range(3):
            add(store, owner)
    claimed(store, 4)
    store.order.put_first(ANNA)
    assert store.get(claimed(store, 1)[0]).owner == ANNA
    assert {store.get(id).owner for id in claimed(store, 2)} == {BEN, CLEO}


def test_who_waits_is_told_by_person(store: JobStore) -> None:
    add(store)
    add(store)
    add(store, BEN)
    store.order.pause_person(BEN, is_paused=True)
    assert sorted(store.order.people()) == [(ANNA, 2, False), (BEN, 1, True)]
    assert store.order.queued(ANNA) == 2


def test_all_of_ones_own_can_be_cancelled(store: JobStore) -> None:
    mine, bens = [add(store).id for _ in range(3)], add(store, BEN).id
    assert [job.id for job in store.cancel_queued(ANNA)] == mine
    assert all(store.get(id).state is JobState.CANCELLED for id in mine)
    assert claimed(store) == [bens]


def test_a_queue_of_the_first_version_is_read_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    store = JobStore(path)
    jobs = [add(store), add(store, BEN), add(store)]
    rows = [(job.id, job.owner, *_texts(path, job.id)) for job in jobs]
    store.close()
    path.unlink()
    with sqlite3.connect(path) as old:
        old.executescript(f"{FIRST}; PRAGMA user_version = 1")
        old.executemany(
            "INSERT INTO job (id, owner, state, model, mode, request, recipe, created_at)"
            " VALUES (?, ?, 'queued', 'm', 'txt2img', ?, ?, 0)",
            rows,
        )
    old.close()
    again = JobStore(path)
    assert [(one.pixels, one.effort) for one in again.order.in_line(time.time())] == [
        (64 * 64, 64 * 64 * 4)
    ] * 3
    assert claimed(again) == [jobs[0].id, jobs[1].id, jobs[2].id]
    again.close()


def _texts(path: Path, id: JobId) -> tuple[str, str]:
    with sqlite3.connect(path) as rows:
        (found,) = rows.execute("SELECT request, recipe FROM job WHERE id = ?", (id,)).fetchall()
    rows.close()
    return found[0], found[1]


def test_looking_for_the_next_job_reads_one_row_a_person(store: JobStore, tmp_path: Path) -> None:
    """Told by the database's own plan, so that no clock decides."""
    with sqlite3.connect(tmp_path / "jobs.sqlite") as rows:
        plan = rows.execute(f"EXPLAIN QUERY PLAN {HEADS}", (0.0,)).fetchall()
    rows.close()
    told = [row[-1] for row in plan]
    assert "SEARCH job USING INDEX job_waiting (owner=?)" in told
    assert not any(line.startswith("SCAN job") for line in told), told


CLAIMER = """
import sys
from pathlib import Path
from webui.jobs.store import JobStore
store = JobStore(Path(sys.argv[1]))
store.recover()
while (job := store.claim("gpu")) is not None:
    print(job.id, flush=True)
    store.finish(job.id, seconds=0.0)
print("done", flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills as Unix does")
def test_kills_lose_no_turn_and_run_nothing_twice(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    store = JobStore(path)
    jobs = [add(store, owner).id for _ in range(100) for owner in (ANNA, BEN, CLEO)]
    store.close()
    dice, said = random.Random(5), list[str]()
    for _ in range(40):
        process = subprocess.Popen(
            [sys.executable, "-c", CLAIMER, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout
        for _ in range(dice.randrange(12)):
            said.append(process.stdout.readline().strip())
        process.send_signal(signal.SIGKILL)
        said += process.stdout.read().split()
        process.wait()
        process.stdout.close()
    last = subprocess.run(
        [sys.executable, "-c", CLAIMER, str(path)], capture_output=True, text=True, check=True
    )
    assert last.stdout.endswith("done\n")
    store = JobStore(path)
    ended = [store.get(id) for id in jobs]
    for job in ended:
        assert job.state is JobState.DONE or (job.reason, job.attempts) == (CUT_SHORT_TWICE, 2)
    assert max(Counter(said).values()) <= 2
    store.close()
