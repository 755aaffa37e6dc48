"""Jobs over HTTP: handed in, watched, ended, refused in words."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.api.conftest import Client, error_of
from tests.conftest import until
from webui.api.views import state_view
from webui.core.job import LOCAL, PersonId
from webui.core.request import GenerationRequest
from webui.engine.fake import FakeEngine
from webui.settings import SettingsStore
from webui.studio import Studio

JOB_FIELDS = {
    "id", "mode", "state", "prompt", "negative_prompt", "position", "picture_count", "pictures",
    "attempts", "recovered", "reason", "created_at", "finished_at", "seed", "width", "height",
    "progress", "seconds_left", "preview_version", "hold", "not_before",
    "gpu_seconds", "verifies",
}  # fmt: skip
PICTURE_FIELDS = {
    "id", "job_id", "index", "mode", "width", "height", "prompt", "seed", "created_at", "name",
    "url", "thumbnail",
}  # fmt: skip
PROGRESS_FIELDS = {"fraction", "step", "steps", "picture", "pictures", "seconds_left", "note"}
LONG = {"prompt": "a long one", "sampling": {"steps": 150}}


def test_a_job_is_accepted_and_becomes_pictures(client: Client) -> None:
    accepted = client.post("/api/v1/jobs", {"prompt": "a red apple", "batch_size": 2, "seed": 7})
    assert set(accepted) == JOB_FIELDS
    assert (accepted["mode"], accepted["prompt"], accepted["seed"]) == ("txt2img", "a red apple", 7)
    assert accepted["picture_count"] == 2
    job = until(lambda: _when_done(client, accepted["id"]))
    assert [picture["seed"] for picture in job["pictures"]] == [7, 8]
    assert [set(picture) for picture in job["pictures"]] == [PICTURE_FIELDS] * 2
    assert (job["width"], job["height"], job["progress"]) == (256, 256, None)
    assert job["finished_at"] >= job["created_at"]
    picture = job["pictures"][0]
    assert picture["url"] == f"/pictures/{picture['id']}"
    assert picture["thumbnail"] == f"/pictures/{picture['id']}/thumbnail"


def _when_done(client: Client, id: str) -> dict[str, object] | None:
    job: dict[str, object] = client.json(f"/api/v1/jobs/{id}")
    return job if job["state"] == "done" else None


def test_a_blank_request_is_a_request(client: Client) -> None:
    assert client.make()["state"] == "done"


def test_the_newest_job_is_listed_first(client: Client) -> None:
    made = [client.make(prompt=str(number))["id"] for number in range(3)]
    assert [job["id"] for job in client.json("/api/v1/jobs")] == made[::-1]
    assert [job["id"] for job in client.json("/api/v1/jobs?limit=1")] == made[-1:]
    assert [job["id"] for job in client.json("/api/v1/jobs?mode=txt2img")] == made[::-1]
    assert client.json("/api/v1/jobs?mode=inpaint") == []


def test_a_running_job_shows_progress_and_preview(slow_client: Client) -> None:
    id = slow_client.post("/api/v1/jobs", LONG)["id"]
    job = until(lambda: _with_preview(slow_client, id))
    assert set(job["progress"]) == PROGRESS_FIELDS
    assert 0 <= job["progress"]["fraction"] < 1
    assert (job["state"], job["position"], job["progress"]["steps"]) == ("running", 0, 150)
    preview = slow_client.get(f"/api/v1/jobs/{id}/preview?v=1")
    assert preview.body.startswith(b"\xff\xd8")
    assert preview.one("content-type") == "image/jpeg"
    assert preview.one("cache-control") == "no-store"
    slow_client.post(f"/api/v1/jobs/{id}/cancel", status=200)


def _with_preview(client: Client, id: str) -> dict[str, dict[str, float]] | None:
    job: dict[str, dict[str, float]] = client.json(f"/api/v1/jobs/{id}")
    return job if job["preview_version"] else None


def test_a_job_that_is_not_running_has_no_preview(client: Client) -> None:
    id = client.make()["id"]
    answer = client.get(f"/api/v1/jobs/{id}/preview")
    assert (answer.status, answer.body) == (204, b"")


def test_the_line_is_told_job_by_job(slow_client: Client) -> None:
    ids = [slow_client.post("/api/v1/jobs", LONG)["id"] for _ in range(3)]
    until(lambda: slow_client.json("/api/v1/state")["jobs"][0]["state"] == "running")
    state = slow_client.json("/api/v1/state")
    assert [job["id"] for job in state["jobs"]] == ids
    assert [job["position"] for job in state["jobs"]] == [0, 1, 2]
    assert slow_client.json(f"/api/v1/jobs/{ids[2]}")["position"] == 2
    for id in ids[::-1]:
        slow_client.post(f"/api/v1/jobs/{id}/cancel", status=200)


def test_a_waiting_job_is_cancelled_at_once(slow_client: Client) -> None:
    running, waiting = (slow_client.post("/api/v1/jobs", LONG)["id"] for _ in range(2))
    cancelled = slow_client.post(f"/api/v1/jobs/{waiting}/cancel", status=200)
    assert (cancelled["state"], cancelled["position"]) == ("cancelled", 0)
    again = slow_client.post(f"/api/v1/jobs/{waiting}/cancel", status=200)
    assert again["state"] == "cancelled"
    slow_client.post(f"/api/v1/jobs/{running}/cancel", status=200)
    until(lambda: slow_client.json(f"/api/v1/jobs/{running}")["state"] == "cancelled")


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"width": 13}, "width", "not a multiple of 8. Try 8 or 16"),
        ({"width": 100_000}, "width", "The largest is 2048"),
        ({"sampling": {"steps": 0}}, "sampling.steps", "The smallest is 1"),
        ({"sampling": {"sampler": "none"}}, "sampling.sampler", "Choose one of"),
        ({"sampling": {"stepz": 3}}, "sampling.stepz", "not a known field"),
        ({"what": 1}, "what", "not a known field"),
        ({"prompt": 1}, "prompt", "valid string"),
        ({"prompt": "x" * 20_001}, "prompt", "20000 characters"),
        ({"seed": 2**32}, "seed", "The largest is 4294967295"),
        ({"seed": "1e400"}, "seed", "not a whole number"),
        ({"batch_count": 101}, "batch_count", "The largest is 100"),
        ({"checkpoint": "../../etc/passwd"}, "checkpoint", "There is no model"),
        ({"source": {"image": "../../etc/passwd"}}, "source.image", "Add it again"),
        ({"source": {"resize_mode": "odd", "image": "x"}}, "source.resize_mode", "not one of"),
        ({"mask": {"image": "0" * 64}}, "source.image", "Add a picture"),
        ({"source": {}}, "source.image", "missing"),
    ],
)
def test_a_refusal_names_the_field(
    empty_client: Client, body: dict[str, object], field: str, words: str
) -> None:
    answer = empty_client.site.ask(
        "POST", "/api/v1/jobs", [("Content-Type", "application/json")], json.dumps(body).encode()
    )
    status, named, message = error_of(answer)
    assert (status, named) == (422, field)
    assert words in message


@pytest.mark.parametrize(
    "body",
    [b"", b"nonsense", b"[]", b"null", b'"text"', b"\xff\xfe", b'{"prompt": ', b"[" * 500_000],
    ids=lambda body: body[:10],
)
def test_what_is_no_json_object_is_refused(empty_client: Client, body: bytes) -> None:
    answer = empty_client.site.ask(
        "POST", "/api/v1/jobs", [("Content-Type", "application/json")], body
    )
    status, field, _ = error_of(answer)
    assert status in (400, 422)
    assert field is None


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data", ""])
def test_json_that_does_not_say_so_is_refused(empty_client: Client, kind: str) -> None:
    """A form of another site can send text/plain without asking first."""
    headers = [("Content-Type", kind)] if kind else []
    answer = empty_client.site.ask("POST", "/api/v1/jobs", headers, b'{"prompt": "x"}')
    assert error_of(answer)[0] == 422


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "mode=none"])
def test_a_wrong_query_is_refused(empty_client: Client, query: str) -> None:
    status, field, _ = error_of(empty_client.get(f"/api/v1/jobs?{query}"))
    assert (status, field) == (422, query.split("=")[0])


def test_somebody_elses_job_is_not_there(client: Client) -> None:
    theirs = client.studio.submit(GenerationRequest(prompt="secret"), PersonId("other"))
    for method, path in (("GET", ""), ("POST", "/cancel"), ("GET", "/preview")):
        answer = client.site.ask(method, f"/api/v1/jobs/{theirs.id}{path}")
        assert error_of(answer)[0] == 404
    assert client.json("/api/v1/jobs") == []
    assert b"secret" not in client.get("/api/v1/state").body
    assert error_of(client.get("/api/v1/jobs/none"))[0] == 404


def test_the_state_tells_what_goes_on(empty_client: Client) -> None:
    state = empty_client.json("/api/v1/state")
    assert set(state) == {
        "boot", "version", "engines", "jobs", "queued", "is_paused", "is_queue_paused",
        "can_manage", "others_in_queue", "waiting", "disk",
    }  # fmt: skip
    (engine,) = state["engines"]
    assert set(engine) == {"id", "state", "device", "detail", "model"}
    assert engine["state"] == "ready"
    assert (state["jobs"], state["waiting"]) == ([], "")
    assert state["disk"]["free_bytes"] > 0
    assert state["disk"]["is_low"] is False


def test_a_disk_that_fills_up_is_told_before_the_queue_waits(tmp_path: Path) -> None:
    free_mb = shutil.disk_usage(tmp_path).free >> 20
    settings = {"data_dir": str(tmp_path), "keep_free_mb": min(free_mb * 3 // 4, 1_000_000)}
    studio = Studio(SettingsStore(settings), [FakeEngine("fake")])
    disk = state_view(studio, LOCAL).disk
    studio.close()
    assert disk.is_low
    assert disk.free_bytes >> 20 > settings["keep_free_mb"]


def test_models_are_listed(empty_client: Client) -> None:
    (starter,) = empty_client.json("/api/v1/models")
    assert (starter["id"], starter["family"], starter["is_starter"]) == ("starter", "sd15", True)
    assert starter["size_bytes"] > 1_000_000
    assert "path" not in starter
    assert empty_client.post("/api/v1/models/refresh", status=200) == [starter]
    assert empty_client.json("/api/v1/models?kind=checkpoint") == [starter]
    assert empty_client.json("/api/v1/models?kind=lora") == []
