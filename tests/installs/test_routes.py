"""Every route of installing over HTTP, through the gate: what it answers, and to whom."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from tests.api.conftest import Client, error_of
from tests.api.people import HEADER, OWNER, TakesTheirWord, Visitor, gate_of_people
from tests.api.test_events import events_of
from tests.conftest import make_studio
from tests.gate.site import serving
from tests.installs.making import as_it_was, extension, zipped
from webui.api.build import build_api
from webui.api.routes.extension_installs import ROUTER
from webui.engine.fake import FakeEngine
from webui.gate.audit import Table, audit
from webui.gate.gate import Gate, Surroundings
from webui.gate.names import Names, read_allowed
from webui.gate.server import protect
from webui.settings import SettingsStore
from webui.studio import Studio

INSTALLS = "/api/v1/extensions/installs"
BINARY = [("Content-Type", "application/zip")]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The owner of a studio at its own machine; what one test installs, the next one finds."""
    with as_it_was():
        studio = make_studio(tmp_path_factory.mktemp("studio"))
        studio.start()
        with serving(protect(build_api(studio, None))) as site:
            yield Client(site=site, studio=studio)
        studio.close()


def named(id: str) -> dict[str, str | bytes]:
    """The files of an extension with this id."""
    return extension(manifest=f'id = "{id}"\nname = "{id}"\nversion = "1.0"\n')


def upload(client: Client, data: bytes, name: str = "film-dust.zip") -> Any:
    answer = client.site.ask("POST", f"{INSTALLS}/upload?name={name}", BINARY, data)
    assert answer.status == 202, answer.body
    return at_rest(client, json.loads(answer.body)["id"])


def at_rest(client: Client, id: str) -> Any:
    """The task when nothing works on it."""
    client.studio.installs.wait(id)
    return client.json(f"{INSTALLS}/{id}")


def gone_all_the_way(client: Client, data: bytes) -> Any:
    task = upload(client, data)
    client.post(f"{INSTALLS}/{task['id']}/examine", {})
    task = at_rest(client, task["id"])
    assert task["state"] == "examined", task
    yes = {"fingerprint": task["review"]["fingerprint"]}
    client.post(f"{INSTALLS}/{task['id']}/confirm", yes)
    return at_rest(client, task["id"])


def test_from_a_file_to_an_extension_that_is_on(client: Client) -> None:
    with events_of(client) as events:
        done = gone_all_the_way(client, zipped(named("film-dust")))
        assert (done["state"], done["note"]) == ("done", "")
        told = (data for kind, data in events if kind == "install_changed")
        assert next(d for d in told if d["state"] == "done")["task_id"] == done["id"]
    (row,) = client.json(f"{INSTALLS}/installed")
    assert (row["id"], row["now"]["version"], row["previous"]) == ("film-dust", "1.0", None)
    folder = client.studio.settings.current.extensions
    assert (folder / "film-dust" / "extension.toml").exists()
    assert client.studio.extensions.get("film-dust").is_enabled


def test_the_review_shows_what_is_in_it(client: Client) -> None:
    code = "import os\nimport base64\nos.system('x')\neval(base64.b64decode('eA=='))\n"
    manifest = 'id = "film-scan"\nname = "Film scan"\nlicense = "MIT"\n'
    manifest += '[permissions.subprocess]\nreason = "to call x"\n'
    more: dict[str, str | bytes] = {"evil.py": code, "a.js": "1", "lib.so": b"\x7fELF"}
    review = upload(client, zipped(extension(more, manifest)))["review"]
    assert (review["licence"], review["file_count"]) == ("MIT", 5)
    assert review["permissions"]["subprocess"]["reason"] == "to call x"
    found = {each["sign"]: each for each in review["findings"]}
    assert set(found) == {"process", "code", "blob", "javascript", "binary"}
    assert found["process"]["places"] == [
        {"sign": "process", "file": "evil.py", "line": 3, "text": "os.system('x')"}
    ]


def test_a_set_is_saved_and_brought_back(client: Client) -> None:
    gone_all_the_way(client, zipped(named("film-set")))
    snapshot = client.post(f"{INSTALLS}/snapshots", {"name": "good"}, 201)
    assert client.json(f"{INSTALLS}/snapshots") == [snapshot]
    path = f"{INSTALLS}/installed/film-set"
    assert client.site.ask("DELETE", path, [], b"").status == 204
    (removed,) = client.json(f"{INSTALLS}/trash")
    assert removed["extension"] == "film-set"
    task = client.post(f"{INSTALLS}/snapshots/{snapshot['id']}/restore")
    assert at_rest(client, task["id"])["state"] == "done"
    assert "film-set" in [row["id"] for row in client.json(f"{INSTALLS}/installed")]
    assert client.json(f"{INSTALLS}/trash") == []
    gone = client.site.ask("DELETE", f"{INSTALLS}/snapshots/{snapshot['id']}", [], b"")
    assert (gone.status, client.json(f"{INSTALLS}/snapshots")) == (204, [])


def test_a_fetch_can_be_cancelled_and_forgotten(client: Client) -> None:
    task = upload(client, zipped(named("film-none")))
    path = f"{INSTALLS}/{task['id']}"
    assert client.site.ask("DELETE", path, [], b"").status == 204
    assert client.json(path)["state"] == "cancelled"
    assert client.site.ask("DELETE", path, [], b"").status == 204
    assert client.get(path).status == 404


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("", {"address": "ext::sh"}, "address"),
        ("", {"address": "https://a.example/b/c", "ref": "../x"}, "ref"),
        ("", {"adress": "https://a.example/b/c"}, "address"),
        ("", {"address": "https://a.example/b", "is_linked": True}, "is_linked"),
        ("/upload?name=photo.png", None, "name"),
    ],
)
def test_what_can_not_be_meant_is_refused(
    client: Client, path: str, body: object, field: str
) -> None:
    before = client.json(INSTALLS)
    data = b"x" if body is None else json.dumps(body).encode()
    headers = BINARY if body is None else [("Content-Type", "application/json")]
    answer = client.site.ask("POST", INSTALLS + path, headers, data)
    assert error_of(answer)[:2] == (422, field)
    assert client.json(INSTALLS) == before


def test_the_list_says_what_is_built_in(client: Client) -> None:
    found = client.json(f"{INSTALLS}/index?words=loractl")["entries"]
    assert [bool(entry["built_in"]) for entry in found] == [True]


def routes() -> list[tuple[str, str]]:
    """Each route with an address that it takes."""
    return sorted(
        (method, re.sub(r"\{[^}]*\}", "x", route.path))
        for route in ROUTER.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    )


def statuses(ask: Any) -> dict[str, int]:
    return {f"{method} {path}": ask(method, path).status for method, path in routes()}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """The API of a studio without settings of its own."""
    studio = make_studio(tmp_path_factory.mktemp("people"))
    yield build_api(studio, None)
    studio.close()


@pytest.mark.parametrize(("name", "status"), [("ann", 403), ("vic", 403), ("", 401)])
def test_only_owners_may(app: FastAPI, name: str, status: int) -> None:
    assert len(routes()) >= 20
    with serving(gate_of_people(app)) as site:
        assert set(statuses(Visitor(site=site, name=name).ask).values()) == {status}


class FromElsewhere:
    """An application as if all requests came from one address."""

    def __init__(self, app: FastAPI, client: str) -> None:
        self._app, self._client = app, client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "client": (self._client, 50000)}, receive, send)


def asked_from(app: FastAPI, address: str, body: bytes = b"{}") -> set[int]:
    """What the owner is answered who asks from an address."""
    around = Surroundings(doorkeeper=TakesTheirWord())
    gate = Gate(FromElsewhere(app, address), Table(audit(app, {})), around)
    with serving(gate) as site:
        sent = [("Content-Type", "application/json"), (HEADER, OWNER)]
        asked = statuses(lambda method, path: site.ask(method, path, sent, body))
    return set(asked.values())


@pytest.mark.parametrize("body", [b"{}", b"no json", b""])
def test_owners_may_only_at_the_machine_itself(app: FastAPI, body: bytes) -> None:
    assert asked_from(app, "192.168.1.9", body) == {403}
    assert 403 not in asked_from(app, "127.0.0.1")


def test_a_name_that_is_not_this_machines_is_elsewhere(app: FastAPI) -> None:
    """A proxy on the same machine comes from loopback, too, but under the studio's other name."""
    names = Names(allowed=read_allowed("studio.example"))
    around = Surroundings(doorkeeper=TakesTheirWord(), names=names)
    with serving(Gate(app, Table(audit(app, {})), around)) as site:
        hosts, sent = [f"studio.example:{site.port}"], [(HEADER, OWNER)]
        assert site.ask("GET", INSTALLS, sent, hosts=hosts).status == 403
        assert site.ask("GET", INSTALLS, sent).status == 200


def test_with_the_setting_they_may_from_elsewhere(tmp_path: Path) -> None:
    given = {"data_dir": str(tmp_path), "keep_free_mb": 0, "lan_installs": True}
    studio = Studio(SettingsStore(given), [FakeEngine("fake")])
    assert 403 not in asked_from(build_api(studio, None), "192.168.1.9")
    studio.close()


def test_a_body_over_the_limit_is_cut_off(client: Client) -> None:
    size = [("Content-Length", str(65 * 2**20)), *BINARY]
    answer = client.site.ask("POST", f"{INSTALLS}/upload?name=a.zip", size)
    assert answer.status == 413


def test_more_than_a_few_at_a_time_are_refused(client: Client) -> None:
    data, statuses = zipped(named("film-many")), []
    while not statuses or statuses[-1] == 202:
        answer = client.site.ask("POST", f"{INSTALLS}/upload?name=a.zip", BINARY, data)
        statuses.append(answer.status)
    assert (statuses[-1], 10 < len(statuses) <= 21) == (422, True)
