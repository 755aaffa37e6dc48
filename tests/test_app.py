"""The program as it is started: one server for a data folder, a free port, an orderly end."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import until
from webui.core.job import JobId, JobState
from webui.jobs.store import JobStore

ROOT = Path(__file__).resolve().parent.parent
ADDRESS = re.compile(r"http://localhost:\d+")

Start = Callable[..., "Server"]


class Server:
    """A process of app.py with the fake engine."""

    def __init__(self, data: Path, *flags: str) -> None:
        command = [sys.executable, "app.py", "--data-dir", str(data), "--engine", "fake"]
        self.log = data / f"{len(list(data.glob('*.log')))}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--no-autolaunch", "--keep-free-mb", "0", *flags], cwd=ROOT, stderr=log
            )

    def address(self) -> str:
        """Where it serves, once it does."""
        found = until(lambda: ADDRESS.search(self.log.read_text("utf-8")), 60)
        until(lambda: self._answers(found[0]), 60)
        return found[0]

    def call(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """The API's answer."""
        request = urllib.request.Request(self.address() + path)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
            request.add_header("X-Gesso", "1")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    @staticmethod
    def _answers(address: str) -> bool:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return False


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts servers and sees to it that they end."""
    servers: list[Server] = []

    def begin(data: Path, *flags: str) -> Server:
        servers.append(Server(data, *flags))
        return servers[-1]

    yield begin
    for server in servers:
        server.process.kill()
        server.process.wait(30)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no polite signal there")
@pytest.mark.parametrize(
    "polite", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_polite_end_puts_the_running_job_back_and_counts_no_attempt(
    start: Start, tmp_path: Path, polite: signal.Signals
) -> None:
    server = start(tmp_path, "--port", "0", "--fake-step-s", "0.2")
    job = server.call("/api/v1/jobs", {"prompt": "an owl", "sampling": {"steps": 150}})
    until(lambda: server.call(f"/api/v1/jobs/{job['id']}")["state"] == "running")
    server.process.send_signal(polite)
    assert server.process.wait(30) == 0
    assert "Traceback" not in server.log.read_text("utf-8")
    assert list((tmp_path / "data").glob("*-wal")) == []
    store = JobStore(tmp_path / "data" / "jobs.sqlite")
    waiting = store.get(JobId(job["id"]))
    store.close()
    assert (waiting.state, waiting.attempts) == (JobState.QUEUED, 0)


def test_a_second_server_for_a_data_folder_says_why_it_ends(start: Start, tmp_path: Path) -> None:
    start(tmp_path, "--port", "0").address()
    second = start(tmp_path, "--port", "0")
    assert second.process.wait(60) == 3
    assert "already runs with the data folder" in second.log.read_text("utf-8")


def test_a_taken_port_that_was_asked_for_says_so(start: Start, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    port = start(tmp_path / "one", "--port", "0").address().rpartition(":")[2]
    second = start(tmp_path / "two", "--port", port)
    assert second.process.wait(60) == 2
    assert f"Port {port} can't be used" in second.log.read_text("utf-8")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--port", "70000"], "Port 70000 is too large. The largest is 65535."),
        (["--preview-interval-s", "soon"], "Preview interval s “soon” is not a number."),
    ],
)
def test_a_wrong_flag_is_answered_in_words(
    start: Start, tmp_path: Path, flags: list[str], said: str
) -> None:
    server = start(tmp_path, *flags)
    assert server.process.wait(60) == 2
    text = server.log.read_text("utf-8")
    assert said in text
    assert "Traceback" not in text
