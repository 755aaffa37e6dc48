"""What nobody learns beside the point: how much others do, with what, and where it lies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.api.people import HEADER, Visitor, gate_of_people
from tests.conftest import finished, make_studio
from tests.gate.site import serving
from webui.api.build import build_api
from webui.core.events import DownloadChanged, QueueChanged
from webui.core.job import JobId
from webui.engine.fake import FakeEngine
from webui.settings import SettingsStore
from webui.studio import Studio

REQUEST = {"prompt": "x", "width": 64, "height": 64, "sampling": {"steps": 2}}
MORE_THAN_ANY_DISK_MB = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Team:
    """Two artists and the owner."""

    studio: Studio
    ann: Visitor
    ben: Visitor
    owner: Visitor


@contextmanager
def open_team(studio: Studio) -> Iterator[Team]:
    studio.start()
    with serving(gate_of_people(build_api(studio, None))) as site:
        ann, ben, owner = (Visitor(site=site, name=name) for name in ("ann", "ben", "local"))
        yield Team(studio=studio, ann=ann, ben=ben, owner=owner)
    studio.close()


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    with open_team(make_studio(tmp_path_factory.mktemp("team"))) as opened:
        yield opened


@contextmanager
def events(visitor: Visitor, last: str = "") -> Iterator[Iterator[tuple[str, str, Any]]]:
    """The id, kind and data of what a stream tells."""
    lines = [
        f"GET /api/v1/events HTTP/1.1\r\nHost: {visitor.site.host}\r\n{HEADER}: {visitor.name}"
    ]
    lines += [f"Last-Event-ID: {last}"] if last else []
    with visitor.site.connect() as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        with connection.makefile("r", encoding="utf-8") as file:
            yield read_events(file)


def read_events(lines: Iterator[str]) -> Iterator[tuple[str, str, Any]]:
    told: dict[str, str] = {}
    for line in lines:
        name, _, value = line.rstrip("\r\n").partition(": ")
        told[name] = value
        if name == "data":
            yield told["id"], told["event"], json.loads(value)


def test_names_of_events_do_not_tell_how_many_others_had(team: Team) -> None:
    job = team.ann.post("/api/v1/jobs", REQUEST)["id"]
    finished(team.studio, JobId(job))
    boot = team.studio.jobs.boot
    for guess in ("0", "1", "2", "2".zfill(32)):
        with events(team.ben, f"{boot}-{guess}") as told:
            id, kind, _ = next(told)
        assert kind == "state", guess
    with events(team.ben, id) as told:
        assert next(told)[:2] == (id, "resumed")


def test_downloads_are_told_to_the_owner_only(team: Team) -> None:
    change = DownloadChanged(
        download_id="d",
        state="running",
        received_bytes=1,
        total_bytes=2,
        bytes_per_s=1.0,
        seconds_left=None,
    )
    for visitor, kinds in ((team.ann, ["queue_changed"]), (team.owner, ["download_changed"])):
        with events(visitor) as told:
            assert next(told)[1] == "state"
            team.studio.bus.publish(change)
            team.studio.bus.publish(QueueChanged())
            assert [next(told)[1]] == kinds


def test_the_model_that_an_engine_holds_is_the_owners_to_see(team: Team) -> None:
    finished(team.studio, JobId(team.ann.post("/api/v1/jobs", REQUEST)["id"]))
    (seen,), (whole,) = (v.get("/api/v1/state")["engines"] for v in (team.ben, team.owner))
    assert (seen["model"], seen["detail"]) == ("", "")
    assert seen["state"] == whole["state"]


def test_where_pictures_lie_is_not_told_when_the_disk_is_full(tmp_path: Path) -> None:
    settings = SettingsStore({"data_dir": str(tmp_path), "keep_free_mb": MORE_THAN_ANY_DISK_MB})
    with open_team(Studio(settings, [FakeEngine("fake")])) as team, events(team.ann) as told:
        next(told)
        team.ann.post("/api/v1/jobs", REQUEST)
        reason = next(data["reason"] for _, kind, data in told if kind == "waiting")
        assert "“outputs”" in team.owner.get("/api/v1/state")["waiting"]
        waiting = team.ann.get("/api/v1/state")["waiting"]
        verdict = team.ann.post("/api/v1/preflight", REQUEST, 200)
    assert waiting == reason != ""
    told_to_ann = waiting + json.dumps(verdict, ensure_ascii=False)
    assert str(tmp_path) not in told_to_ann
    assert "“outputs”" not in told_to_ann
