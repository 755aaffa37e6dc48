"""What one person makes, puts in and asks for is nobody else's to see or change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.api.people import Visitor, gate_of_people
from tests.conftest import finished, make_studio, png
from tests.gate.site import serving
from webui.api.build import build_api
from webui.core.job import JobId
from webui.studio import Studio

SECRET = "secretively"


@dataclass(frozen=True, kw_only=True)
class Team:
    """Ann has made a picture from a picture of hers; Ben and Vic look for it."""

    studio: Studio
    ann: Visitor
    ben: Visitor
    vic: Visitor
    owner: Visitor
    job: str
    picture: str
    input: str


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    studio = make_studio(tmp_path_factory.mktemp("team"))
    studio.start()
    app = build_api(studio, None)
    with serving(gate_of_people(app)) as site:
        ann, ben, vic, owner = (Visitor(site=site, name=n) for n in ("ann", "ben", "vic", "local"))
        input = ann.post("/api/v1/inputs", png(colour="blue"), 201)["id"]
        job = ann.post("/api/v1/jobs", _request(input))["id"]
        finished(studio, JobId(job))
        (picture,) = ann.get(f"/api/v1/jobs/{job}")["pictures"]
        yield Team(
            studio=studio,
            ann=ann,
            ben=ben,
            vic=vic,
            owner=owner,
            job=job,
            picture=picture["id"],
            input=input,
        )
    studio.close()


def _request(input: str, **more: object) -> dict[str, Any]:
    return {"prompt": SECRET, "sampling": {"steps": 1}, "source": {"image": input}, **more}


def test_others_find_nothing_at_the_addresses_of_ones_work(team: Team) -> None:
    job, picture = f"/api/v1/jobs/{team.job}", f"/api/v1/pictures/{team.picture}"
    file = f"/pictures/{team.picture}"
    addresses = [
        *(("GET", path) for path in (job, f"{job}/preview", picture, file, f"{file}/thumbnail")),
        ("GET", f"/api/v1/inputs/{team.input}"),
        ("POST", f"{job}/cancel"),
        *(("POST", f"{picture}/{verb}") for verb in ("again", "verify", "restore")),
        ("DELETE", picture),
    ]
    for visitor in (team.ben, team.owner):
        answers = [visitor.ask(method, path) for method, path in addresses]
        assert [answer.status for answer in answers] == [404] * len(addresses)
        assert not any(SECRET.encode() in answer.body for answer in answers)
    assert team.ann.ask("GET", file).status == 200
    assert team.ann.ask("GET", f"/api/v1/inputs/{team.input}").status == 200


def test_lists_hold_ones_own_only(team: Team) -> None:
    for visitor in (team.ben, team.vic, team.owner):
        assert visitor.get("/api/v1/pictures")["pictures"] == []
        assert visitor.get(f"/api/v1/pictures?search={SECRET}")["pictures"] == []
        assert visitor.get("/api/v1/jobs") == []
        assert visitor.get("/api/v1/state")["jobs"] == []
    assert len(team.ann.get("/api/v1/pictures")["pictures"]) == 1


def test_a_request_with_somebody_elses_picture_is_refused_as_one_that_is_gone(team: Team) -> None:
    theirs = team.ben.ask("POST", "/api/v1/jobs", _request(team.input))
    gone = team.ben.ask("POST", "/api/v1/jobs", _request("0" * 64))
    assert (theirs.status, theirs.body) == (gone.status, gone.body)
    assert json.loads(theirs.body)["error"]["field"] == "source.image"


def test_nobody_compares_with_somebody_elses_picture(team: Team) -> None:
    mine = team.ben.post("/api/v1/inputs", png(), 201)["id"]
    asked = _request(mine, verifies=team.picture)
    assert team.ben.ask("POST", "/api/v1/jobs", asked).status == 404


def test_a_picture_that_was_handed_on_does_not_open_what_it_was_made_from(team: Team) -> None:
    file = team.ann.ask("GET", f"/pictures/{team.picture}").body
    told = json.loads(team.ben.ask("POST", "/api/v1/read-picture", file).body)
    assert told["prompt"] == SECRET
    assert told["missing"] == ["the source picture"]
    assert team.ann.post("/api/v1/read-picture", file, 200)["missing"] == []


def test_a_plan_takes_no_picture_of_somebody_else(team: Team) -> None:
    plan = {"kind": "loopback", "request": _request(team.input), "options": {"loops": 2}}
    answer = team.ben.ask("POST", "/api/v1/plans", plan)
    assert (answer.status, json.loads(answer.body)["error"]["field"]) == (422, "source.image")


def test_names_of_files_do_not_count_what_others_made(team: Team) -> None:
    input = team.ben.post("/api/v1/inputs", png(colour="green"), 201)["id"]
    job = team.ben.post("/api/v1/jobs", _request(input, prompt="mine"))["id"]
    finished(team.studio, JobId(job))
    (mine,) = team.ben.get(f"/api/v1/jobs/{job}")["pictures"]
    hers = team.ann.get(f"/api/v1/pictures/{team.picture}")["name"]
    assert mine["name"].split("-")[0] == hers.split("-")[0]
    outputs: Path = team.studio.settings.current.outputs
    assert {path.name for path in (outputs / "people").iterdir()} >= {"ann", "ben"}


def test_a_viewer_makes_and_changes_nothing(team: Team) -> None:
    for method, path in (
        ("POST", "/api/v1/jobs"),
        ("POST", "/api/v1/plans"),
        ("POST", "/api/v1/inputs"),
        ("POST", "/api/v1/models/refresh"),
        ("DELETE", f"/api/v1/pictures/{team.picture}"),
    ):
        assert team.vic.ask(method, path, {}).status == 403, path


def test_an_artist_changes_nothing_of_the_server(team: Team) -> None:
    for method, path in (
        ("POST", "/api/v1/models/refresh"),
        ("POST", "/api/v1/styles"),
        ("GET", "/api/v1/downloads"),
        ("POST", "/api/v1/models/hashes"),
    ):
        assert team.ben.ask(method, path, {}).status == 403, path


def test_how_often_others_use_a_model_is_not_told(team: Team) -> None:
    used = {
        visitor.name: sum(row["pictures"] for row in visitor.get("/api/v1/models/table")["rows"])
        for visitor in (team.ann, team.vic, team.owner)
    }
    assert used["ann"] == 1
    assert used["vic"] == 0
    assert used["local"] >= 1
