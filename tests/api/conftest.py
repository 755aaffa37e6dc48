"""The API over a studio of its own, behind the gate, on a real port."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import finished, make_studio
from tests.gate.site import Answer, Site, serving
from webui.api.build import ASSETS, build_api
from webui.core.job import LOCAL, JobId
from webui.engine.fake import FakeEngine
from webui.gate.server import protect
from webui.studio import Studio

STEP_S = 0.05


@dataclass(frozen=True, kw_only=True)
class Client:
    """A program that uses the API of a running studio."""

    site: Site
    studio: Studio

    def get(self, path: str, *headers: tuple[str, str]) -> Answer:
        return self.site.get(path, *headers)

    def json(self, path: str) -> Any:
        answer = self.get(path)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def post(self, path: str, body: object = None, status: int = 202) -> Any:
        data = b"" if body is None else json.dumps(body).encode()
        answer = self.site.ask("POST", path, [("Content-Type", "application/json")], data)
        assert answer.status == status, answer.body
        return json.loads(answer.body)

    def make(self, **request: object) -> Any:
        """Hand in a job and wait until it is over; the job."""
        id = self.post("/api/v1/jobs", request)["id"]
        finished(self.studio, JobId(id))
        return self.json(f"/api/v1/jobs/{id}")


def error_of(answer: Answer) -> tuple[int, str | None, str]:
    """Status, field and message of a refusal, in the one shape that there is."""
    body = json.loads(answer.body)
    assert set(body) == {"error"}
    assert set(body["error"]) == {"field", "message"}
    return answer.status, body["error"]["field"], body["error"]["message"]


@pytest.fixture
def client(studio: Studio) -> Iterator[Client]:
    """A client of a studio whose engine takes no time."""
    with serving(protect(build_api(studio, ASSETS))) as site:
        yield Client(site=site, studio=studio)


@pytest.fixture(scope="module")
def shared_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a studio whose engine takes no time, for all tests of a file: what one makes,
    the next one finds."""
    studio = make_studio(tmp_path_factory.mktemp("shared"))
    studio.start()
    with serving(protect(build_api(studio, ASSETS))) as site:
        yield Client(site=site, studio=studio)
    studio.close()


@pytest.fixture
def slow_client(tmp_path: Path) -> Iterator[Client]:
    """A client of a studio whose engine takes its time for each step."""
    studio = make_studio(tmp_path / "slow", FakeEngine("fake", seconds_per_step=STEP_S))
    studio.start()
    with serving(protect(build_api(studio, None))) as site:
        yield Client(site=site, studio=studio)
    studio.close()


@pytest.fixture(scope="session")
def empty_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a studio that many tests share, because it has nothing and accepts nothing."""
    studio = make_studio(tmp_path_factory.mktemp("empty"))
    studio.start()
    with serving(protect(build_api(studio, ASSETS))) as site:
        yield Client(site=site, studio=studio)
    assert studio.jobs.recent(LOCAL) == []
    studio.close()
