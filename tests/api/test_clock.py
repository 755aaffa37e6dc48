"""Clocks that are put forward or back by a day, and the nights when they change.

The studio's clock is the machine's; what it wrote down is moved instead: a file of jobs from
yesterday and one from tomorrow are what a clock leaves that was moved by a day.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import finished, make_studio, until
from tests.people.conftest import PASSWORD, Clock, open_people
from webui.albums.album import AlbumWish
from webui.albums.albums import Albums
from webui.core.errors import NotFound
from webui.core.job import LOCAL, Job, JobId, JobState, PersonId
from webui.core.person import Role
from webui.core.request import GenerationRequest, Sampling
from webui.engine.fake import FakeEngine
from webui.jobs.store import Terms
from webui.jobs.usage import DayUsage
from webui.people.account import SESSION_S, Where
from webui.studio import Studio
from webui.webhooks.hook import HookWish
from webui.webhooks.store import HookStore

DAY_S = 24 * 3600.0
HOUR_S = 3600.0
SPRING = 1774746000.0
"""29 March 2026, 02:00 in Berlin, which is then 03:00."""
AUTUMN = 1792890000.0
"""25 October 2026, 03:00 in Berlin, which is then 02:00."""
SMALL = GenerationRequest(width=64, height=64, sampling=Sampling(steps=2))
TIMES = {
    "job": ("created_at", "started_at", "finished_at"),
    "event": ("at",),
    "spent": ("at",),
}
both_ways = pytest.mark.parametrize("jump", [DAY_S, -DAY_S], ids=["forward", "back"])


def ready_studio(root: Path, engine: FakeEngine | None = None) -> Studio:
    """A studio that knows its models, and is not started."""
    studio = make_studio(root, engine)
    studio.catalog.refresh()
    return studio


def put_clock(root: Path, jump: float) -> None:
    """Make the file of jobs what it is once the clock was put forward by so many seconds."""
    with closing(sqlite3.connect(root / "data" / "jobs.sqlite", timeout=30)) as rows, rows:
        for table, columns in TIMES.items():
            changes = ", ".join(f"{column} = {column} - :jump" for column in columns)
            rows.execute(f"UPDATE {table} SET {changes}", {"jump": jump})
        held = "UPDATE job SET not_before = not_before - :jump WHERE not_before > 0"
        rows.execute(held, {"jump": jump})


def begun(root: Path) -> list[str]:
    """The jobs in the order in which engines began them."""
    with closing(sqlite3.connect(root / "data" / "jobs.sqlite")) as rows:
        found = rows.execute("SELECT job_id FROM event WHERE kind = 'started' ORDER BY at")
        return [id for (id,) in found]


@both_ways
def test_jobs_keep_their_order_and_run_once_over_a_restart(tmp_path: Path, jump: float) -> None:
    studio = ready_studio(tmp_path)
    before = [studio.submit(SMALL, LOCAL) for _ in range(4)]
    studio.close()
    put_clock(tmp_path, jump)
    studio = ready_studio(tmp_path)
    jobs = [*before, *(studio.submit(SMALL, LOCAL) for _ in range(4))]
    studio.start()
    done = [finished(studio, job.id) for job in jobs]
    studio.close()
    assert begun(tmp_path) == [job.id for job in jobs]
    assert [(job.state, job.attempts) for job in done] == [(JobState.DONE, 1)] * 8


@both_ways
def test_a_job_that_runs_when_the_clock_is_put_is_not_begun_again(
    tmp_path: Path, jump: float
) -> None:
    studio = ready_studio(tmp_path, FakeEngine("fake", seconds_per_step=0.1))
    studio.start()
    job = studio.submit(GenerationRequest(width=64, height=64, sampling=Sampling(steps=8)), LOCAL)
    until(lambda: studio.jobs.get(job.id).state is JobState.RUNNING)
    put_clock(tmp_path, jump)
    after = studio.submit(SMALL, LOCAL)
    done = [finished(studio, id) for id in (job.id, after.id)]
    usage = studio.jobs.usage.last_day(LOCAL)
    studio.close()
    assert sorted(begun(tmp_path)) == [job.id, after.id]
    assert [(job.state, job.attempts) for job in done] == [(JobState.DONE, 1)] * 2
    assert 0.5 < usage < 60


def test_a_job_for_tomorrow_begins_when_the_clock_says_so(tmp_path: Path) -> None:
    studio = ready_studio(tmp_path)
    job = studio.submit(SMALL, LOCAL, terms=Terms(not_before=time.time() + DAY_S - HOUR_S))
    assert not studio.jobs.has_ready()
    put_clock(tmp_path, -DAY_S)
    assert not studio.jobs.has_ready()
    put_clock(tmp_path, 2 * DAY_S)
    assert studio.jobs.has_ready()
    studio.start()
    assert finished(studio, job.id).state is JobState.DONE
    studio.close()


@both_ways
def test_a_session_outlives_a_jump_and_still_ends(
    tmp_path: Path, jump: float, clock: Clock
) -> None:
    people = open_people(tmp_path / "people.sqlite", clock)
    owner = people.create_owner("Ada", PASSWORD)
    token = people.sessions.begin(owner, Where(address="127.0.0.1")).token
    clock.seconds += jump
    assert people.sessions.find(token) is not None
    clock.seconds += SESSION_S + max(0.0, -jump) + 1
    assert people.sessions.find(token) is None
    people.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_links_end_at_their_moment_whatever_the_clock_did_before(
    tmp_path: Path, clock: Clock
) -> None:
    people = open_people(tmp_path / "people.sqlite", clock)
    owner = people.create_owner("Ada", PASSWORD)
    people.invite(Role.ARTIST, uses=1, expires_s=2 * DAY_S, by=owner.id)
    albums = Albums(tmp_path / "albums.sqlite", clock)
    album = albums.create(AlbumWish(title="Shown"), LOCAL)
    link = albums.link(album.id, 2).token
    clock.seconds -= DAY_S
    assert albums.opened_by(link).id == album.id
    clock.seconds += 2 * DAY_S
    assert len(people.invitations.open()) == 1
    clock.seconds += DAY_S + 1
    assert people.invitations.open() == []
    with pytest.raises(NotFound):
        albums.opened_by(link)
    albums.close()
    people.close()


@both_ways
def test_a_webhook_is_told_once_and_within_its_waits(
    tmp_path: Path, jump: float, clock: Clock
) -> None:
    hooks = HookStore(tmp_path / "webhooks.sqlite", clock)
    hook = hooks.add(HookWish(address="https://hooks.example/x"))
    hooks.tell([hook], JobId("1"), {"id": "1"})
    clock.seconds += jump
    assert hooks.wait_s() == 0
    call = hooks.due()
    assert call is not None
    hooks.arrived(call)
    assert hooks.due() is None
    hooks.close()


@pytest.fixture
def berlin(set_zone: Callable[[str], None]) -> None:
    """The machine stands in Berlin, where clocks change twice a year."""
    set_zone("Europe/Berlin")


@pytest.fixture
def set_zone() -> Iterator[Callable[[str], None]]:
    """Moves this process to a time zone, until the end of the test."""
    if not hasattr(time, "tzset"):
        pytest.skip("the zone of a process can't be set here")
    import os

    before = os.environ.get("TZ")

    def to(zone: str | None) -> None:
        os.environ.pop("TZ", None)
        if zone is not None:
            os.environ["TZ"] = zone
        time.tzset()

    yield to
    to(before)


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("change", "day", "hours"), [(SPRING, "2026-03-29", 23), (AUTUMN, "2026-10-25", 25)]
)
def test_a_day_of_a_changed_clock_is_counted_whole(
    tmp_path: Path, change: float, day: str, hours: int
) -> None:
    studio = ready_studio(tmp_path)
    job = studio.submit(SMALL, LOCAL)
    midnight = change - time.localtime(change - 1).tm_hour * HOUR_S - HOUR_S
    _book(tmp_path, job, [midnight + HOUR_S * (hour + 0.5) for hour in range(-1, hours + 1)])
    counted = {one.day: one for one in studio.jobs.usage.days(LOCAL)}
    studio.close()
    assert counted[day] == DayUsage(
        owner=PersonId(LOCAL), day=day, jobs=1, pictures=hours, seconds=hours
    )
    assert sorted(one.seconds for one in counted.values()) == [1, 1, hours]


def _book(root: Path, job: Job, moments: list[float]) -> None:
    """A second of an engine and a picture at each of the moments."""
    with closing(sqlite3.connect(root / "data" / "jobs.sqlite")) as rows, rows:
        rows.executemany(
            "INSERT INTO spent (job_id, owner, engine, model, family, pixels, pictures, effort,"
            " load_s, seconds, at) VALUES (?, ?, 'fake', 'm', 'sd15', 4096, 1, 1, 0, 1, ?)",
            [(job.id, LOCAL, moment) for moment in moments],
        )
