"""Downloads over HTTP: asked for, followed on the event stream, ended; tokens go in only."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.conftest import Client, error_of
from tests.api.test_events import events_of
from tests.conftest import until
from tests.downloads.source import Source, lora, serving_files
from tests.gate.site import serving
from webui.api.build import build_api
from webui.engine.fake import FakeEngine
from webui.gate.server import protect
from webui.settings import SettingsStore
from webui.studio import Studio

DOWNLOADS = "/api/v1/downloads"
SECRET = "hf_verysecret123"


@pytest.fixture
def source() -> Iterator[Source]:
    with serving_files() as made:
        yield made


@pytest.fixture
def fetching(tmp_path: Path, source: Source) -> Iterator[Client]:
    """A client of a studio that may fetch models from this machine."""
    given = {"data_dir": str(tmp_path), "keep_free_mb": 0, "download_hosts": source.host}
    studio = Studio(SettingsStore(given), [FakeEngine("fake")])
    studio.start()
    with serving(protect(build_api(studio, None))) as site:
        yield Client(site=site, studio=studio)
    studio.close()


def test_a_model_is_looked_up_fetched_and_cleared(
    fetching: Client, source: Source, tmp_path: Path
) -> None:
    url = source.put("/ink.safetensors", lora(tmp_path))
    offer = fetching.post(f"{DOWNLOADS}/look-up", {"address": url}, 200)
    assert [(file["name"], file["label"]) for file in offer["files"]] == [
        ("ink.safetensors", "LoRA, SD 1.5")
    ]
    with events_of(fetching) as events:
        id = fetching.post(DOWNLOADS, {"address": url})["id"]
        told = (data for kind, data in events if kind == "download_changed")
        assert next(data for data in told if data["state"] == "done")["download_id"] == id
    until(lambda: fetching.json("/api/v1/models?kind=lora"))
    assert [row["state"] for row in fetching.json(DOWNLOADS)] == ["done"]
    gone = fetching.site.ask("DELETE", f"{DOWNLOADS}/{id}", [], b"")
    assert (gone.status, fetching.json(DOWNLOADS)) == (204, [])


def test_a_download_is_paused_and_resumed(fetching: Client, source: Source, tmp_path: Path) -> None:
    gate = threading.Event()
    url = source.put("/ink.safetensors", lora(tmp_path), gate=gate, held_at=3000)
    id = fetching.post(DOWNLOADS, {"address": url})["id"]
    fetching.post(f"{DOWNLOADS}/{id}/pause", None, 200)
    until(lambda: fetching.json(DOWNLOADS)[0]["state"] == "paused")
    gate.set()
    fetching.post(f"{DOWNLOADS}/{id}/resume", None, 200)
    until(lambda: fetching.json(DOWNLOADS)[0]["state"] == "done")


def test_what_may_not_be_asked_is_refused(fetching: Client, source: Source) -> None:
    for address in ("https://127.0.0.1/a", "http://models.example/a", "nothing"):
        body = json.dumps({"address": address}).encode()
        answer = fetching.site.ask("POST", DOWNLOADS, [("Content-Type", "application/json")], body)
        assert error_of(answer)[:2] == (422, "address")
    assert source.asked == []


def test_a_download_that_is_not_there_is_not_found(empty_client: Client) -> None:
    for verb in ("pause", "resume"):
        answer = empty_client.site.ask("POST", f"{DOWNLOADS}/none/{verb}", [], b"")
        assert error_of(answer)[0] == 404


def test_tokens_go_in_and_never_come_out(fetching: Client) -> None:
    body = json.dumps({"token": SECRET}).encode()
    path = f"{DOWNLOADS}/tokens/hugging_face"
    answer = fetching.site.ask("PUT", path, [("Content-Type", "application/json")], body)
    assert json.loads(answer.body)["is_set"]
    told = fetching.json(f"{DOWNLOADS}/tokens")
    assert [(one["host"], one["is_set"]) for one in told] == [
        ("huggingface.co", True),
        ("civitai.com", False),
    ]
    assert SECRET not in json.dumps(told) + answer.body.decode()


def test_a_token_for_nobody_is_refused(empty_client: Client) -> None:
    answer = empty_client.site.ask(
        "PUT",
        f"{DOWNLOADS}/tokens/elsewhere",
        [("Content-Type", "application/json")],
        json.dumps({"token": SECRET}).encode(),
    )
    assert error_of(answer)[:2] == (422, "service")
