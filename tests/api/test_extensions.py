"""Extensions by the API: the list, switching, settings, failures, the search for a culprit."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tests.extend.conftest import Workshop
from tests.gate.people import NamedDoorkeeper, as_person
from webui.api.build import build_api
from webui.gate.gate import Surroundings
from webui.gate.server import protect

OURS = {"X-Gesso": "1"}
RED = """
    INPUTS = [Slider("amount", "Amount", 0.5)]
    SETTINGS = [Slider("warmth", "Warmth", 3, low=0, high=9, step=1), Toggle("loud", "Loud")]

    @hook
    def image_post(item, inputs): ...
"""
ABOUT = """
    version = "1.2"
    license = "MIT"

    [permissions.network]
    reason = "to fetch colours"
    hosts = ["colours.example"]
"""


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    made = Workshop(tmp_path_factory.mktemp("extensions"))
    made.write("red", RED, ABOUT)
    made.write("broken", "raise ArithmeticError('planted')")
    yield made
    made.close()


@pytest.fixture(scope="module")
def site(workshop: Workshop) -> Iterator[TestClient]:
    gate = protect(
        build_api(workshop.studio("red"), None), Surroundings(doorkeeper=NamedDoorkeeper())
    )
    with TestClient(gate, base_url="http://localhost:7860") as client:
        client.headers.update({**OURS, **dict([as_person("owner")])})
        yield client


def one(site: TestClient, id: str) -> dict[str, object]:
    found = {each["id"]: each for each in site.get("/api/v1/extensions").json()["extensions"]}
    return dict(found[id])


def test_the_list_tells_what_each_is_and_adds(site: TestClient) -> None:
    red = one(site, "red")
    assert (red["state"], red["version"], red["license"]) == ("on", "1.2", "MIT")
    assert {"kind": "input", "names": ["Amount"]} in red["adds"]  # type: ignore[operator]
    assert red["permissions"] == [
        {"name": "network", "reason": "to fetch colours", "details": ["colours.example"]}
    ]
    assert red["has_settings"] is True


def test_one_is_switched_off_and_on(site: TestClient) -> None:
    assert site.post("/api/v1/extensions/red/disable").json()["state"] == "off"
    assert site.get("/api/v1/extensions/active").json() == []
    assert site.post("/api/v1/extensions/red/enable").json()["state"] == "on"
    assert [each["id"] for each in site.get("/api/v1/extensions/active").json()] == ["red"]
    assert site.post("/api/v1/extensions/red/reload").json()["state"] == "on"


def test_why_one_can_not_be_loaded_is_told_with_the_traceback(site: TestClient) -> None:
    told = site.post("/api/v1/extensions/broken/enable").json()
    assert told["state"] == "failed"
    assert "planted" in told["error"]
    detail = site.get("/api/v1/extensions/broken").json()
    assert "ArithmeticError: planted" in detail["traceback"]
    assert detail["folder"].endswith("broken")
    site.post("/api/v1/extensions/broken/disable")


def test_settings_are_changed_one_by_one(site: TestClient) -> None:
    url = "/api/v1/extensions/red/settings"
    first = {each["id"]: each for each in site.get(url).json()}
    assert (first["warmth"]["value"], first["warmth"]["high"]) == (3, 9)
    changed = site.patch(url, json={"warmth": 7}).json()
    assert {each["id"]: each["value"] for each in changed} == {"warmth": 7, "loud": False}
    refused = site.patch(url, json={"warmth": 70})
    assert refused.status_code == 422
    assert refused.json()["error"]["field"] == "settings.warmth"
    assert {each["id"]: each["value"] for each in site.get(url).json()}["warmth"] == 7


def test_a_culprit_is_looked_for(site: TestClient) -> None:
    url = "/api/v1/extensions/search"
    assert site.get(url).json() is None
    assert site.post(url).json()["on"] == []
    assert one(site, "red")["state"] == "held"
    found = site.patch(url, json={"is_bad": False}).json()
    assert (found["is_over"], found["culprit"]) == (True, "red")
    site.delete(url)
    assert site.get(url).json() is None
    assert one(site, "red")["state"] == "on"


def test_an_extension_that_is_not_there_is_not_found(site: TestClient) -> None:
    for verb in ("enable", "disable", "reload"):
        assert site.post(f"/api/v1/extensions/nobody/{verb}").status_code == 404
    assert site.get("/api/v1/extensions/nobody").status_code == 404


@pytest.mark.parametrize("role", ["viewer", "artist"])
def test_others_know_what_is_on_and_no_more(site: TestClient, role: str) -> None:
    guest = dict([as_person(role)])
    active = site.get("/api/v1/extensions/active", headers=guest)
    assert [each["name"] for each in active.json()] == ["Red"]
    assert set(active.json()[0]) == {"id", "name", "version", "description"}
    asked = [
        ("GET", ""), ("POST", ""), ("GET", "/red"), ("GET", "/red/settings"),
        ("PATCH", "/red/settings"), ("POST", "/red/enable"), ("POST", "/red/disable"),
        ("POST", "/red/reload"), ("GET", "/search"), ("POST", "/search"), ("DELETE", "/search"),
    ]  # fmt: skip
    for method, path in asked:
        answer = site.request(
            method, f"/api/v1/extensions{path}", content=json.dumps({}), headers=guest
        )
        assert answer.status_code == 403, (method, path)
