"""Webhooks against a receiver on this machine: what arrives, what is refused, what is repeated."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.api.people import Visitor, gate_of_people
from tests.conftest import finished, until
from tests.gate.site import Site, serving
from webui.api.build import build_api
from webui.core.errors import InvalidRequest
from webui.core.job import JobId
from webui.core.request import GenerationRequest, Sampling
from webui.engine.fake import FakeEngine
from webui.settings import SettingsStore
from webui.studio import Studio
from webui.webhooks.hook import WAITS_S, HookWish, Occasion
from webui.webhooks.store import MOST_HOOKS, MOST_WAITING, HookStore
from webui.webhooks.webhooks import signature

SECRET_PROMPT = "secretively"
JOB = JobId("job")


@dataclass
class Receiver:
    """Keeps what it is told; answers with `status`, which may be changed."""

    host: str = ""
    status: int = 204
    told: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://{self.host}/told"

    def facts(self) -> list[Any]:
        return [json.loads(body) for _, body in self.told]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.told.append((dict(self.headers), body))
            self.send_response(made.status)
            self.send_header("Content-Length", "0")
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.host = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass(frozen=True, kw_only=True)
class Place:
    studio: Studio
    site: Site
    owner: Visitor
    ann: Visitor

    def job(self) -> str:
        asked = {"prompt": SECRET_PROMPT, "sampling": {"steps": 1}}
        id = self.ann.post("/api/v1/jobs", asked)["id"]
        finished(self.studio, JobId(id))
        return str(id)


def make_studio(root: Path, receiver: Receiver) -> Studio:
    given = {"data_dir": str(root), "keep_free_mb": 0, "webhook_hosts": receiver.host}
    return Studio(SettingsStore(given), [FakeEngine("fake")])


@pytest.fixture
def place(tmp_path: Path, receiver: Receiver) -> Iterator[Place]:
    """A studio that may call the receiver though it is on this machine."""
    studio = make_studio(tmp_path, receiver)
    studio.start()
    with serving(gate_of_people(build_api(studio, None))) as site:
        owner, ann = Visitor(site=site, name="local"), Visitor(site=site, name="ann")
        yield Place(studio=studio, site=site, owner=owner, ann=ann)
    studio.close()


def test_a_finished_job_is_told_signed_and_without_its_prompt(
    place: Place, receiver: Receiver
) -> None:
    wish = {"address": receiver.address, "secret": "seal"}
    made = place.owner.post("/api/v1/webhooks", wish, 201)
    assert (made["is_signed"], "seal" in json.dumps(made)) == (True, False)
    id = place.job()
    until(lambda: receiver.told)
    headers, body = receiver.told[0]
    assert headers["X-Gesso-Signature"] == signature("seal", body)
    facts = json.loads(body)
    (picture,) = place.ann.get(f"/api/v1/jobs/{id}")["pictures"]
    assert (facts["event"], facts["job"], facts["person"]) == ("finished", id, "ann")
    assert facts["pictures"] == [picture["id"]]
    assert SECRET_PROMPT.encode() not in body


def test_only_the_occasions_that_were_asked_for_are_told(place: Place, receiver: Receiver) -> None:
    wish = {"address": receiver.address, "occasions": ["failed"]}
    only_failed = place.owner.post("/api/v1/webhooks", wish, 201)
    place.owner.post("/api/v1/webhooks", {"address": f"{receiver.address}?all"}, 201)
    place.job()
    until(lambda: receiver.told)
    assert len(receiver.told) == 1
    hooks = {hook["id"]: hook for hook in place.owner.get("/api/v1/webhooks")}
    assert hooks[only_failed["id"]]["called_at"] is None


def test_addresses_inside_are_refused(place: Place) -> None:
    for address in (
        "http://127.0.0.1:1/x",
        "https://localhost/x",
        "https://[::1]/x",
        "https://169.254.169.254/latest",
        "https://10.0.0.1/x",
        "http://example.org/x",
        "ftp://example.org/x",
        "https://name:word@example.org/",
        "nonsense",
    ):
        answer = place.owner.ask("POST", "/api/v1/webhooks", {"address": address})
        assert answer.status == 422, address
    assert place.owner.get("/api/v1/webhooks") == []


def test_a_redirect_is_not_followed(place: Place, receiver: Receiver) -> None:
    receiver.status = 307
    id = place.owner.post("/api/v1/webhooks", {"address": receiver.address}, 201)["id"]
    tested = place.owner.post(f"/api/v1/webhooks/{id}/test", None, 200)
    assert "307" in tested["fault"]
    assert len(receiver.told) == 1
    receiver.status = 200
    assert place.owner.post(f"/api/v1/webhooks/{id}/test", None, 200)["fault"] == ""


def test_webhooks_are_the_owners(place: Place) -> None:
    for method, path in (
        ("GET", "/api/v1/webhooks"),
        ("POST", "/api/v1/webhooks"),
        ("DELETE", "/api/v1/webhooks/x"),
        ("POST", "/api/v1/webhooks/x/test"),
    ):
        assert place.ann.ask(method, path, {}).status == 403
    assert place.owner.ask("DELETE", "/api/v1/webhooks/x").status == 404


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_call_that_did_not_arrive_is_tried_again_for_so_long(tmp_path: Path) -> None:
    clock = Clock()
    store = HookStore(tmp_path / "webhooks.sqlite", clock)
    hook = store.add(HookWish(address="https://example.org/"))
    store.tell([hook], JOB, {"event": "finished"})
    tried = []
    while (wait := store.wait_s()) is not None:
        clock.now += wait
        call = store.due()
        assert call is not None
        tried.append((wait, call.id))
        store.failed(call, "cut")
    assert [wait for wait, _ in tried] == [0.0, *WAITS_S]
    assert len({id for _, id in tried}) == 1
    assert (store.get(hook.id).fault, store.get(hook.id).waiting) == ("cut", 0)
    store.close()


def test_a_restart_forgets_no_call(tmp_path: Path) -> None:
    store = HookStore(tmp_path / "webhooks.sqlite")
    hook = store.add(HookWish(address="https://example.org/", occasions=(Occasion.FAILED,)))
    store.tell([hook], JOB, {"event": "failed"})
    store.close()
    again = HookStore(tmp_path / "webhooks.sqlite")
    call = again.due()
    assert call is not None
    assert json.loads(call.body) == {"event": "failed"}
    assert again.get(hook.id).occasions == (Occasion.FAILED,)
    again.close()


def test_the_end_of_a_job_is_told_once_though_the_server_ended_with_it(
    tmp_path: Path, receiver: Receiver
) -> None:
    request = GenerationRequest(prompt="an owl", sampling=Sampling(steps=1))
    studio = make_studio(tmp_path, receiver)
    studio.catalog.refresh()
    early = studio.submit(request)
    studio.dispatcher.start()
    finished(studio, early.id)
    studio.webhooks.add(HookWish(address=receiver.address))
    id = studio.submit(request).id  # nothing listens for its end, as when the server is killed then
    finished(studio, id)
    studio.close()
    for _ in range(2):
        again = make_studio(tmp_path, receiver)
        again.start()
        until(lambda: receiver.told)
        last = again.submit(request).id
        finished(again, last)
        until(lambda last=last: receiver.facts()[-1]["job"] == last)  # type: ignore[misc]
        again.close()
    assert [facts["job"] for facts in receiver.facts()].count(id) == 1
    assert early.id not in {facts["job"] for facts in receiver.facts()}


def test_a_receiver_that_is_away_does_not_fill_the_disk(tmp_path: Path) -> None:
    store = HookStore(tmp_path / "webhooks.sqlite")
    hooks = [store.add(HookWish(address="https://example.org/")) for _ in range(MOST_HOOKS)]
    with pytest.raises(InvalidRequest, match="webhooks"):
        store.add(HookWish(address="https://example.org/"))
    for number in range(MOST_WAITING + 5):
        store.tell(hooks[:1], JobId(str(number)), {"number": number})
    oldest = store.due()
    assert oldest is not None
    assert (json.loads(oldest.body), store.get(hooks[0].id).waiting) == (
        {"number": 5},
        MOST_WAITING,
    )
    store.close()


def test_a_call_of_a_webhook_that_is_gone_is_not_kept(tmp_path: Path) -> None:
    store = HookStore(tmp_path / "hooks.sqlite")
    gone = store.add(HookWish(address="https://example.org/"))
    store.remove(gone.id)
    store.tell([gone], JOB, {"event": "finished"})  # the job ended while the webhook was removed
    assert store.due() is None
    assert store.wait_s() is None
    store.close()
