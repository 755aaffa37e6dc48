"""The queue over HTTP, with several people: turns, order, limits, accounts, looking ahead."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import error_of
from tests.api.people import OWNER, Visitor, gate_of_people
from tests.conftest import finished, make_studio, png, until
from tests.gate.site import serving
from webui.api.build import build_api
from webui.core.events import Message, Started
from webui.core.job import JobId
from webui.engine.fake import FakeEngine
from webui.studio import Studio

SMALL = {"width": 64, "height": 64, "sampling": {"steps": 1}, "seed": 1}


@dataclass(frozen=True, kw_only=True)
class Team:
    """A studio, and those who use it."""

    studio: Studio
    owner: Visitor
    ann: Visitor
    bob: Visitor
    vic: Visitor
    started: list[str]
    """Ids of jobs in the order in which they were begun."""

    def begin(self) -> None:
        """Let the queue go on."""
        self.owner.ask("PATCH", "/api/v1/queue/all", {"is_paused": False})

    def done(self, *jobs: str) -> list[str]:
        """Those of the jobs that have begun, in order, when all are over."""
        for id in jobs:
            finished(self.studio, JobId(id))
        return [id for id in self.started if id in jobs]


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    """A team whose queue is paused, so that nothing depends on how fast anybody is."""
    studio = make_studio(tmp_path, FakeEngine("fake"))
    started: list[str] = []

    def watch(message: Message) -> None:
        if isinstance(message.event, Started):
            started.append(message.job_id)

    studio.bus.subscribe(watch)
    studio.queue.pause_queue(is_paused=True)
    studio.start()
    with serving(gate_of_people(build_api(studio, None))) as site:
        visitors = {name: Visitor(site=site, name=name) for name in ("ann", "bob", "vic")}
        owner = Visitor(site=site, name=OWNER)
        yield Team(studio=studio, owner=owner, started=started, **visitors)
    studio.close()


def add(who: Visitor, query: str = "", **more: object) -> str:
    return str(who.post(f"/api/v1/jobs{query}", {**SMALL, **more})["id"])


def change(who: Visitor, id: str, **asked: object) -> Any:
    answer = who.ask("PATCH", f"/api/v1/jobs/{id}", asked)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def test_one_persons_many_jobs_delay_anothers_by_one(team: Team) -> None:
    many = [add(team.ann) for _ in range(12)]
    bobs = [add(team.bob) for _ in range(3)]
    team.begin()
    order = team.done(*many, *bobs)
    assert order[:6] == [many[0], bobs[0], many[1], bobs[1], many[2], bobs[2]]
    assert sorted(order) == sorted(many + bobs), "something ran twice or not at all"


def test_each_sees_only_how_many_are_ahead(team: Team) -> None:
    for _ in range(4):
        add(team.ann, prompt="a secret of ann")
    first, second = add(team.bob), add(team.bob)
    state = team.bob.get("/api/v1/state")
    assert [(job["id"], job["position"]) for job in state["jobs"]] == [(first, 1), (second, 3)]
    assert state["queued"] == 2
    for path in ("/api/v1/state", "/api/v1/queue"):
        body = team.bob.ask("GET", path).body
        assert b"secret" not in body
        assert b'"ann"' not in body.lower()


def test_ones_own_jobs_are_moved_paused_and_put_off(team: Team) -> None:
    a, b, c, d = (add(team.ann) for _ in range(4))
    assert change(team.ann, c, move="top")["position"] == 0
    assert change(team.ann, a, is_paused=True)["hold"] == "paused"
    later = time.time() + 3600
    assert change(team.ann, b, not_before=later)["hold"] == "not_before"
    shown = [job["id"] for job in team.ann.get("/api/v1/queue")["jobs"]]
    assert shown[:2] == [c, d]
    assert set(shown[2:]) == {a, b}
    team.begin()
    assert team.done(c, d) == [c, d]
    change(team.ann, a, is_paused=False)
    assert team.done(a) == [a]
    change(team.ann, b, not_before=0)
    assert team.done(b) == [b]


def test_terms_are_given_with_the_job(team: Team) -> None:
    held = add(team.ann, "?paused=true")
    plain = add(team.ann)
    urgent = add(team.ann, "?urgent=true")
    team.begin()
    assert team.done(plain, urgent) == [urgent, plain]
    assert team.ann.get(f"/api/v1/jobs/{held}")["state"] == "queued"
    refused = team.ann.ask("POST", f"/api/v1/jobs?not_before={time.time() + 1e9:.0f}", SMALL)
    assert error_of(refused)[:2] == (422, "not_before")


def test_a_job_that_runs_or_is_over_is_not_moved(team: Team) -> None:
    job = add(team.ann)
    team.begin()
    team.done(job)
    refused = team.ann.ask("PATCH", f"/api/v1/jobs/{job}", {"move": "top"})
    assert error_of(refused)[0] == 422
    assert "Only one that waits" in error_of(refused)[2]


def test_all_of_ones_own_are_paused_and_cancelled_and_no_others(team: Team) -> None:
    mine, bobs = [add(team.ann) for _ in range(3)], add(team.bob)
    team.ann.ask("PATCH", "/api/v1/queue", {"is_paused": True})
    assert {job["hold"] for job in team.ann.get("/api/v1/queue")["jobs"]} == {"all_paused"}
    assert team.bob.get("/api/v1/queue")["is_paused"] is False
    team.begin()
    assert team.done(bobs) == [bobs]
    assert team.ann.post("/api/v1/queue/cancel", status=200) == {"cancelled": 3}
    assert [team.ann.get(f"/api/v1/jobs/{id}")["state"] for id in mine] == ["cancelled"] * 3


def test_anothers_job_is_not_there(team: Team) -> None:
    job = add(team.ann)
    for other in (team.bob, team.owner):
        assert other.ask("PATCH", f"/api/v1/jobs/{job}", {"move": "top"}).status == 404
        assert other.ask("POST", f"/api/v1/jobs/{job}/cancel").status == 404
    assert team.ann.get(f"/api/v1/jobs/{job}")["state"] == "queued"


def test_what_concerns_all_is_for_the_owner(team: Team) -> None:
    for method, path in (
        ("GET", "queue/all"),
        ("PATCH", "queue/all"),
        ("POST", "queue/all/cancel"),
        ("PATCH", "queue/people/bob"),
        ("POST", "queue/people/bob/cancel"),
        ("GET", "limits/roles"),
        ("GET", "limits/people/bob"),
        ("PATCH", "limits/people/ann"),
        ("GET", "usage/all"),
        ("GET", "usage/all.csv"),
    ):
        body = {"is_paused": True} if method != "GET" else None
        assert team.ann.ask(method, f"/api/v1/{path}", body).status == 403, path


def test_a_viewer_looks_but_hands_nothing_in(team: Team) -> None:
    assert team.vic.get("/api/v1/queue")["jobs"] == []
    assert team.vic.ask("POST", "/api/v1/jobs", SMALL).status == 403
    assert team.vic.ask("POST", "/api/v1/preflight", SMALL).status == 403


def test_the_owner_sees_whose_jobs_wait_and_manages_them(team: Team) -> None:
    a, b = add(team.ann, prompt="a secret of ann"), add(team.ann)
    bobs = add(team.bob)
    whole = team.owner.get("/api/v1/queue/all")
    assert [(job["id"], job["person"]) for job in whole["jobs"]] == [
        (a, "ann"), (bobs, "bob"), (b, "ann"),
    ]  # fmt: skip
    assert {(one["person"], one["queued"]) for one in whole["people"]} == {("ann", 2), ("bob", 1)}
    assert "secret" not in json.dumps(whole)
    team.owner.ask("PATCH", f"/api/v1/queue/all/jobs/{b}", {"move": "top"})
    team.owner.ask("PATCH", "/api/v1/queue/people/bob", {"is_next": True})
    assert [job["id"] for job in team.owner.get("/api/v1/queue/all")["jobs"]] == [bobs, b, a]
    cancelled = team.owner.post(f"/api/v1/queue/all/jobs/{b}/cancel", status=200)
    assert (cancelled["state"], "prompt" in cancelled) == ("cancelled", False)
    assert team.owner.post("/api/v1/queue/people/ann/cancel", status=200) == {"cancelled": 1}
    assert team.owner.post("/api/v1/queue/all/cancel", status=200) == {"cancelled": 1}


def test_the_owner_pauses_one_persons_jobs(team: Team) -> None:
    anns, bobs = add(team.ann), add(team.bob)
    team.owner.ask("PATCH", "/api/v1/queue/people/ann", {"is_paused": True})
    team.begin()
    assert team.done(bobs) == [bobs]
    assert team.ann.get(f"/api/v1/jobs/{anns}")["hold"] == "all_paused"


def set_limits(team: Team, person: str, **limits: int | None) -> None:
    answer = team.owner.ask("PATCH", f"/api/v1/limits/people/{person}", limits)
    assert answer.status == 200, answer.body


def test_no_more_jobs_wait_than_the_limit(team: Team) -> None:
    set_limits(team, "ann", queued_jobs=2)
    add(team.ann)
    add(team.ann)
    status, field, words = error_of(team.ann.ask("POST", "/api/v1/jobs", SMALL))
    assert (status, field) == (429, "queued_jobs")
    assert words.startswith("You have 2 jobs waiting, the limit for you is 2. Wait until")
    add(team.bob)
    team.ann.post("/api/v1/queue/cancel", status=200)
    add(team.ann)


def test_a_picture_beyond_the_limit_is_refused_at_its_field(team: Team) -> None:
    set_limits(team, "ann", picture_pixels=256 * 256)
    status, field, words = error_of(
        team.ann.ask("POST", "/api/v1/jobs", {"width": 512, "height": 512})
    )
    assert (status, field) == (422, "width")
    assert "0.26 megapixels" in words
    assert "for example 256 x 256" in words
    large = {"width": 256, "height": 256, "hires": {"scale": 2}}
    assert error_of(team.ann.ask("POST", "/api/v1/jobs", large))[1] == "hires.scale"
    add(team.ann)


def test_a_job_beyond_the_limit_of_work_is_refused(team: Team) -> None:
    set_limits(team, "ann", job_megapixel_steps=1)
    many = {**SMALL, "batch_count": 100, "sampling": {"steps": 100}}
    assert error_of(team.ann.ask("POST", "/api/v1/jobs", many))[:2] == (422, "batch_count")


def test_seconds_of_the_engine_are_booked_and_limited(team: Team) -> None:
    job = add(team.ann)
    team.begin()
    team.done(job)
    until(lambda: team.ann.get(f"/api/v1/jobs/{job}")["gpu_seconds"] > 0)
    used = team.ann.get("/api/v1/usage")
    assert (used["days"][0]["jobs"], used["days"][0]["pictures"]) == (1, 1)
    assert team.bob.get("/api/v1/usage")["days"] == []
    set_limits(team, "ann", gpu_seconds_per_day=0)
    status, field, words = error_of(team.ann.ask("POST", "/api/v1/jobs", SMALL))
    assert (status, field) == (429, "gpu_seconds_per_day")
    assert "will be free again at" in words


def test_the_disk_that_pictures_take_is_limited(team: Team) -> None:
    job = add(team.ann)
    team.begin()
    team.done(job)
    set_limits(team, "ann", disk_bytes=1)
    status, field, words = error_of(team.ann.ask("POST", "/api/v1/jobs", SMALL))
    assert (status, field) == (429, "disk_bytes")
    assert "empty the trash" in words
    assert team.ann.get("/api/v1/limits")["in_use"]["disk_bytes"] > 100


def test_uploads_count_as_pictures_do(team: Team) -> None:
    upload = png(500, 500)
    team.ann.post("/api/v1/inputs", upload, status=201)
    assert team.ann.get("/api/v1/limits")["in_use"]["disk_bytes"] == len(upload)
    assert team.bob.get("/api/v1/limits")["in_use"]["disk_bytes"] == 0
    set_limits(team, "ann", disk_bytes=len(upload))
    refused = team.ann.ask("POST", "/api/v1/inputs", png(501, 501))
    assert error_of(refused)[:2] == (429, "disk_bytes")
    assert team.ann.get("/api/v1/limits")["in_use"]["disk_bytes"] == len(upload)
    team.bob.post("/api/v1/inputs", png(501, 501), status=201)


def test_limits_hold_for_a_role_and_come_back(team: Team) -> None:
    team.owner.ask("PATCH", "/api/v1/limits/roles/artist", {"queued_jobs": 7})
    set_limits(team, "ann", queued_jobs=None)
    assert team.ann.get("/api/v1/limits")["limits"]["queued_jobs"] is None
    assert team.bob.get("/api/v1/limits")["limits"]["queued_jobs"] == 7
    team.owner.ask("DELETE", "/api/v1/limits/people/ann")
    mine = team.ann.get("/api/v1/limits")
    assert (mine["limits"]["queued_jobs"], mine["own"]) == (7, [])
    refused = team.owner.ask("PATCH", "/api/v1/limits/roles/artist", {"queued_jobs": -1})
    assert error_of(refused)[:2] == (422, "queued_jobs")


def test_the_owners_table_has_everybody(team: Team) -> None:
    jobs = [add(team.ann), add(team.bob)]
    team.begin()
    team.done(*jobs)
    until(lambda: len(team.owner.get("/api/v1/usage/all")) == 2)
    text = team.owner.ask("GET", "/api/v1/usage/all.csv").body.decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["person"] for row in rows} == {"ann", "bob"}
    assert all(float(row["gpu_seconds"]) >= 0 for row in rows)


def test_a_plan_waits_at_the_limit_and_goes_on(team: Team) -> None:
    set_limits(team, "ann", queued_jobs=1)
    plan = team.ann.post(
        "/api/v1/plans",
        {"kind": "xyz", "request": SMALL, "options": {"x": {"axis": "seed", "values": "1-4"}}},
    )
    until(lambda: team.ann.get("/api/v1/queue")["queued"] == 1)
    until(lambda: "the limit for you is 1" in json.dumps(team.ann.get("/api/v1/plans")))
    team.begin()

    def is_done() -> bool:
        (found,) = team.ann.get("/api/v1/plans")
        return bool(found["id"] == plan["id"] and found["state"] == "done")

    until(is_done)
    (found,) = team.ann.get("/api/v1/plans")
    assert found["done"] == 4
    assert found["failed"] == 0


def test_looking_ahead_knows_nothing_before_the_first_job(team: Team) -> None:
    verdict = team.ann.post("/api/v1/preflight", SMALL, status=200)
    assert (verdict["verdict"], verdict["reason"]) == ("fits", "")
    assert (verdict["seconds_alone"], verdict["seconds"]) == (None, None)
    assert team.ann.get("/api/v1/queue")["jobs"] == []


def test_looking_ahead_counts_the_line_and_accepts_nothing(team: Team) -> None:
    first = add(team.bob)
    team.begin()
    team.done(first)
    until(lambda: team.bob.get(f"/api/v1/jobs/{first}")["gpu_seconds"] > 0)
    team.owner.ask("PATCH", "/api/v1/queue/all", {"is_paused": True})
    for _ in range(5):
        add(team.bob)
    verdict = team.ann.post("/api/v1/preflight", SMALL, status=200)
    assert verdict["jobs_ahead"] <= 1
    assert 0 < verdict["seconds_alone"] <= verdict["seconds"]
    add(team.ann)
    assert team.ann.post("/api/v1/preflight", SMALL, status=200)["jobs_ahead"] >= 2


def test_looking_ahead_says_why_it_cant_be(team: Team) -> None:
    for asked, field in (
        ({"checkpoint": "nowhere"}, "checkpoint"),
        ({"source": {"image": "0" * 64}}, "source.image"),
        ({"sampling": {"sampler": "none such"}}, "sampling.sampler"),
    ):
        verdict = team.ann.post("/api/v1/preflight", asked, status=200)
        assert (verdict["verdict"], verdict["field"]) == ("cannot", field)
        assert verdict["reason"]


def test_looking_ahead_says_why_no_request_may_have_a_value(team: Team) -> None:
    for asked, field, reason in (
        ({"width": 513}, "width", "Width 513 is not a multiple of 8. Try 512 or 520."),
        ({"width": 16}, "width", "Width 16 is too small. The smallest is 64."),
        ({"width": "\ud800"}, "width", "Width “?” can't be used"),
        ({"sampling": {"steps": 0}}, "sampling.steps", "Steps 0 is too small. The smallest is 1."),
    ):
        verdict = team.ann.post("/api/v1/preflight", asked, status=200)
        assert (verdict["verdict"], verdict["field"]) == ("cannot", field)
        assert verdict["reason"].startswith(reason)
        assert verdict["seconds"] is None


def test_looking_ahead_refuses_what_is_no_request(team: Team) -> None:
    for asked in ({"widht": 512}, [512], "a cat"):
        assert team.ann.ask("POST", "/api/v1/preflight", asked).status == 422


def test_looking_ahead_says_when_a_limit_is_reached(team: Team) -> None:
    set_limits(team, "ann", picture_pixels=64 * 64)
    verdict = team.ann.post("/api/v1/preflight", {"width": 512, "height": 512}, status=200)
    assert (verdict["verdict"], verdict["field"]) == ("cannot", "width")


def test_models_that_others_wait_for_stay_in_memory(team: Team) -> None:
    waiting = add(team.bob)
    path = "/api/v1/models/release"
    assert team.ann.post(path, status=200) == {"is_released": False}
    assert team.bob.post(path, status=200) == {"is_released": True}
    team.begin()
    team.done(waiting)
    assert team.ann.post(path, status=200) == {"is_released": True}
