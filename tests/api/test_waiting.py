"""Programs wait for a job in one request, and a request that is sent twice is one job."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.conftest import Client, error_of
from tests.conftest import until
from tests.gate.site import Answer

SMALL: dict[str, Any] = {"prompt": "x", "width": 64, "height": 64}


def post(client: Client, path: str, body: object, *headers: tuple[str, str]) -> Answer:
    kind = ("Content-Type", "application/json")
    return client.site.ask("POST", path, [kind, *headers], json.dumps(body).encode())


def test_a_job_that_is_waited_for_is_over_in_the_answer(client: Client) -> None:
    answer = post(client, "/api/v1/jobs?wait=30", SMALL)
    job = json.loads(answer.body)
    assert (answer.status, job["state"], len(job["pictures"])) == (200, "done", 1)


def test_the_wish_may_stand_in_a_header(client: Client) -> None:
    answer = post(client, "/api/v1/jobs", SMALL, ("Prefer", "respond-async, wait=30"))
    assert (answer.status, answer.one("preference-applied")) == (200, "wait=30")


def test_nobody_waits_longer_than_they_want(slow_client: Client) -> None:
    long = {**SMALL, "sampling": {"steps": 150}}
    answer = post(slow_client, "/api/v1/jobs?wait=0.3", long)
    job = json.loads(answer.body)
    assert (answer.status, job["state"] in ("queued", "running")) == (202, True)
    path = f"/api/v1/jobs/{job['id']}"
    assert slow_client.json(f"{path}?wait=0.1")["state"] == "running"
    slow_client.post(f"{path}/cancel", status=200)
    assert slow_client.json(f"{path}?wait=30")["state"] == "cancelled"


def test_a_program_that_stops_waiting_leaves_its_job_alone(slow_client: Client) -> None:
    body = json.dumps({**SMALL, "sampling": {"steps": 30}}).encode()
    with slow_client.site.connect() as connection:
        head = f"POST /api/v1/jobs?wait=60 HTTP/1.1\r\nHost: {slow_client.site.host}\r\n"
        kind = "Content-Type: application/json\r\n"
        connection.sendall(f"{head}{kind}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        (job,) = until(lambda: slow_client.json("/api/v1/jobs"))
    assert slow_client.json(f"/api/v1/jobs/{job['id']}?wait=60")["state"] == "done"


@pytest.mark.parametrize("wait", ["-1", "601", "nan", "inf", "x"])
def test_a_wait_that_makes_no_sense_is_refused(empty_client: Client, wait: str) -> None:
    status, field, _ = error_of(post(empty_client, f"/api/v1/jobs?wait={wait}", SMALL))
    assert (status, field) == (422, "wait")


def test_a_request_that_is_sent_twice_is_one_job(client: Client) -> None:
    key = ("Idempotency-Key", "6f1c")
    first, again = (post(client, "/api/v1/jobs", SMALL, key) for _ in range(2))
    other = post(client, "/api/v1/jobs", SMALL, ("Idempotency-Key", "6f1d"))
    ids = [json.loads(answer.body)["id"] for answer in (first, again, other)]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize("key", ["", " ", "x" * 256])
def test_a_key_that_is_no_key_is_refused(empty_client: Client, key: str) -> None:
    answer = post(empty_client, "/api/v1/jobs", SMALL, ("Idempotency-Key", key))
    assert answer.status == 422
