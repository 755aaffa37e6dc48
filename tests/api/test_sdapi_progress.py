"""Progress, interrupt and skip of A1111's API: everybody sees and ends what is theirs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from tests.api.sdapi import SMALL, Program, alone, encoded, opened, picture, team
from tests.conftest import until
from webui.core.job import JobState

STATE = {
    "skipped", "interrupted", "stopping_generation", "job", "job_count", "job_timestamp",
    "job_no", "sampling_step", "sampling_steps",
}  # fmt: skip
LONG: Mapping[str, Any] = {**SMALL, "steps": 150}
STEP_S = 0.02


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with alone(tmp_path_factory.mktemp("sdapi-slow"), STEP_S) as made:
        yield made


@pytest.fixture(scope="module")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Program]]:
    with team(tmp_path_factory.mktemp("sdapi-team"), STEP_S) as made:
        yield made


@pytest.fixture(scope="module")
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as made:
        yield made


def begun(program: Program) -> dict[str, Any] | None:
    """Progress once the steps of a picture are counted."""
    found: dict[str, Any] = program.get("progress")
    return found if found["state"]["sampling_step"] > 1 and found["current_image"] else None


def busy(program: Program) -> bool:
    return bool(program.get("progress?skip_current_image=true")["state"]["job_count"])


def ended(program: Program, answer: Future[Any]) -> dict[str, Any]:
    """What a program got that waited, after everything of its person was ended."""
    program.post("interrupt")
    found: dict[str, Any] = answer.result(timeout=20)
    until(lambda: not busy(program))
    return found


def test_idle_is_zero(slow: Program) -> None:
    found = slow.get("progress")
    assert set(found) == {"progress", "eta_relative", "state", "current_image", "textinfo"}
    assert set(found["state"]) == STATE
    assert (found["progress"], found["eta_relative"], found["state"]["job_count"]) == (0, 0, 0)
    assert (found["current_image"], found["textinfo"]) == (None, None)


def test_progress_grows_and_shows_the_picture(slow: Program, threads: ThreadPoolExecutor) -> None:
    answer = threads.submit(slow.post, "txt2img", {**LONG, "n_iter": 2})
    found = until(lambda: begun(slow))
    assert 0.01 < found["progress"] < 0.6
    assert (found["state"]["job_count"], found["state"]["sampling_steps"]) == (2, 150)
    assert opened(found["current_image"]).format == "PNG"
    assert slow.get("progress?skip_current_image=true")["current_image"] is None
    later = until(lambda: _beyond(slow, found["progress"]))
    assert later["state"]["job_no"] == 0
    ended(slow, answer)


def _beyond(program: Program, progress: float) -> dict[str, Any] | None:
    found: dict[str, Any] = program.get("progress")
    return found if found["progress"] > progress else None


def test_an_interrupted_picture_comes_as_far_as_it_was(
    slow: Program, threads: ThreadPoolExecutor
) -> None:
    answer = threads.submit(slow.post, "txt2img", {**LONG, "seed": 4})
    until(lambda: begun(slow))
    found = ended(slow, answer)
    assert [opened(image).size for image in found["images"]] == [(64, 64)]
    assert json.loads(found["info"])["seed"] == 4
    assert opened(found["images"][0]).info["parameters"].startswith("Steps: 150")


def test_finished_pictures_are_delivered_when_the_rest_is_interrupted(
    slow: Program, threads: ThreadPoolExecutor
) -> None:
    answer = threads.submit(slow.post, "txt2img", {**LONG, "steps": 20, "n_iter": 50, "seed": 10})
    until(lambda: slow.get("progress")["state"]["job_no"] == 1)
    seeds = json.loads(ended(slow, answer)["info"])["all_seeds"]
    assert seeds == list(range(10, 10 + len(seeds)))
    assert 1 <= len(seeds) < 50


def test_skip_leaves_out_one_batch(slow: Program, threads: ThreadPoolExecutor) -> None:
    answer = threads.submit(slow.post, "txt2img", {**SMALL, "steps": 40, "n_iter": 3, "seed": 1})
    until(lambda: begun(slow))
    assert slow.ask("POST", "skip").body == b"null"
    assert json.loads(answer.result(timeout=20)["info"])["all_seeds"] == [2, 3]


def test_nothing_to_interrupt_is_no_error(slow: Program) -> None:
    assert slow.post("interrupt") == {}
    assert slow.ask("POST", "skip").body == b"null"


def test_an_interrupt_ends_a_whole_script(slow: Program, threads: ThreadPoolExecutor) -> None:
    lines = "\n".join(f"prompt {number}" for number in range(60))
    body = {**SMALL, "steps": 20, "script_name": "prompts from file or textbox",
            "script_args": [False, False, "start", lines]}  # fmt: skip
    answer = threads.submit(slow.post, "txt2img", body)
    found = until(lambda: begun(slow))
    assert (found["state"]["job_count"], found["progress"] < 0.1) == (60, True)
    until(lambda: slow.get("progress")["state"]["job_no"] == 1)
    assert 1 <= len(ended(slow, answer)["images"]) < 60


def test_a_task_goes_by_the_name_it_was_given(slow: Program, threads: ThreadPoolExecutor) -> None:
    answer = threads.submit(slow.post, "txt2img", {**LONG, "force_task_id": "task(abc)"})
    asked = {"id_task": "task(abc)", "id_live_preview": -1, "live_preview": True}
    found = until(lambda: _with_preview(slow, asked))
    assert (found["active"], found["queued"], found["completed"]) == (True, False, False)
    assert found["live_preview"].startswith("data:image/png;base64,")
    assert slow.get("progress")["state"]["job"] == "task(abc)"
    seen = {**asked, "id_live_preview": 10**9}
    assert slow.post("/internal/progress", seen)["live_preview"] is None
    ended(slow, answer)
    over = slow.post("/internal/progress", asked)
    assert (over["active"], over["queued"], over["completed"]) == (False, False, True)
    unknown = slow.post("/internal/progress", {"id_task": "task(none)"})
    assert (unknown["active"], unknown["queued"], unknown["completed"]) == (False, False, False)


def _with_preview(program: Program, asked: object) -> dict[str, Any] | None:
    found: dict[str, Any] = program.post("/internal/progress", asked)
    return found if found["live_preview"] else None


def test_many_callers_each_see_their_own(
    crew: Mapping[str, Program], threads: ThreadPoolExecutor
) -> None:
    ann, bob, olga = crew["ann"], crew["bob"], crew["olga"]
    first = threads.submit(ann.post, "txt2img", {**LONG, "prompt": "ann's", "n_iter": 3})
    until(lambda: begun(ann))
    second = threads.submit(bob.post, "txt2img", {**LONG, "force_task_id": "b", "n_iter": 2})
    until(lambda: busy(bob))
    assert ann.get("progress")["state"]["job_count"] == 3
    waiting = bob.get("progress")
    assert (waiting["progress"], waiting["state"]["job_count"]) == (0.01, 2)
    assert waiting["textinfo"] == "In queue: 1 job ahead"
    assert waiting["current_image"] is None
    assert bob.get("/internal/pending-tasks") == {"size": 1, "tasks": ["b"]}
    for other in (ann, olga):
        assert other.get("/internal/pending-tasks") == {"size": 0, "tasks": []}
        assert not other.post("/internal/progress", {"id_task": "b"})["queued"]
    assert olga.get("progress")["state"]["job_count"] == 0
    olga.post("interrupt")
    bob.post("interrupt")
    assert second.result(timeout=20)["images"] == []
    assert busy(ann)
    assert len(ended(ann, first)["images"]) == 1


def test_who_has_used_up_theirs_is_told_and_leaves_nothing(
    crew: Mapping[str, Program], threads: ThreadPoolExecutor
) -> None:
    ann, bob = crew["ann"], crew["bob"]
    first = threads.submit(ann.post, "txt2img", LONG)
    until(lambda: busy(ann))
    bob.studio.jobs.limits.set_for_person(bob.person, {"queued_jobs": 1})
    body = {**SMALL, "init_images": [picture(), picture(colour="blue")]}
    status, words = bob.refused("img2img", body)
    assert (status, "1" in words) == (429, True)
    assert not busy(bob)
    bob.studio.jobs.limits.clear(bob.person)
    ended(ann, first)


def test_an_api_key_is_its_person(crew: Mapping[str, Program], threads: ThreadPoolExecutor) -> None:
    answer = threads.submit(crew["key"].post, "txt2img", LONG)
    until(lambda: begun(crew["ann"]))
    ended(crew["ann"], answer)


def test_nobody_gets_nothing(crew: Mapping[str, Program]) -> None:
    for path in ("progress", "options", "sd-models", "/internal/pending-tasks", "/internal/ping"):
        answer = crew["nobody"].ask("GET", path)
        assert answer.status == 401
        assert answer.one("www-authenticate").startswith('Basic realm="Gesso"')
    assert crew["nobody"].ask("POST", "txt2img", SMALL).status == 401


def test_pictures_of_one_are_not_those_of_another(crew: Mapping[str, Program]) -> None:
    made = crew["ann"].make(prompt="hers alone", save_images=True)
    assert len(made["images"]) == 1
    gallery = crew["ann"].studio.gallery
    assert len(gallery.page(crew["ann"].person, search="alone")) == 1
    assert gallery.page(crew["bob"].person, search="alone") == []


def test_who_goes_away_leaves_the_job(slow: Program) -> None:
    body = encoded({**SMALL, "steps": 30, "prompt": "left behind"})
    head = f"POST /sdapi/v1/txt2img HTTP/1.1\r\nHost: {slow.site.host}\r\n"
    with slow.site.connect() as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        until(lambda: begun(slow))
    until(lambda: not busy(slow))
    (job, *_) = slow.studio.jobs.recent(slow.person)
    assert (job.state, job.request.prompt) == (JobState.DONE, "left behind")
    assert len(slow.studio.gallery.of_job(job.id)) == 1


def test_many_wait_at_once_without_holding_threads(
    slow: Program, threads: ThreadPoolExecutor
) -> None:
    """More than the server has threads for its work, and it answers all the time."""
    connections = []
    for number in range(60):
        body = encoded({**SMALL, "steps": 1, "prompt": f"number {number}"})
        head = f"POST /sdapi/v1/txt2img HTTP/1.1\r\nHost: {slow.site.host}\r\n"
        connection = slow.site.connect()
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        connections.append(connection)
    until(lambda: len(slow.studio.jobs.recent(slow.person, limit=100)) >= 60)
    assert slow.get("/internal/ping") == {}
    for connection in connections:
        assert connection.recv(15).startswith(b"HTTP/1.1 200")
        connection.close()
