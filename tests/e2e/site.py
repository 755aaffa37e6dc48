"""A server process of the whole program, and what a test wants to know from it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import until

ROOT = Path(__file__).resolve().parents[2]
START_S = 60


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Site:
    """A server over `folder`. It can be killed and started again on the same port."""

    folder: Path
    seconds_per_step: float
    port: int = field(default_factory=free_port)
    settings: dict[str, object] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start the server and wait until it answers."""
        command = [sys.executable, "-m", "tests.e2e.serve", str(self.folder), str(self.port)]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, str(self.seconds_per_step), json.dumps(self.settings)],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env={**os.environ, "OMP_NUM_THREADS": "1", "GRADIO_ANALYTICS_ENABLED": "False"},
            )
        until(self._answers, START_S)

    def stop(self) -> None:
        """End the server in order."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)
            self.process = None

    def kill(self) -> None:
        """End the server as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def get(self, path: str) -> Any:
        """The JSON that the API answers."""
        with urllib.request.urlopen(self.url + path, timeout=20) as answer:
            return json.load(answer)

    def read(self, path: str) -> bytes:
        """The bytes of a file that the server hands out."""
        with urllib.request.urlopen(self.url + path, timeout=20) as answer:
            return bytes(answer.read())

    def post(self, body: dict[str, Any], path: str = "/api/v1/jobs") -> None:
        """Send to the API as a program would; a job, when nothing else is said."""
        headers = {"X-Gesso": "1", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)
        urllib.request.urlopen(request, timeout=30).close()

    def cancel_all(self) -> None:
        """Leave nothing for the next window to see."""
        for job in self.get("/api/v1/state")["jobs"]:
            self.post({}, f"/api/v1/jobs/{job['id']}/cancel")
        until(lambda: not self.get("/api/v1/state")["jobs"], START_S)

    def newest(self, mode: str, prompt: str) -> dict[str, Any]:
        """The newest finished picture of a tab with this prompt, with its recipe."""

        def found() -> dict[str, Any] | None:
            jobs = self.get(f"/api/v1/jobs?mode={mode}&limit=20")
            done = [j for j in jobs if j["prompt"] == prompt and j["state"] == "done"]
            return done[0]["pictures"][0] if done else None

        return dict(self.get(f"/api/v1/pictures/{until(found)['id']}"))

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "server.log").read_text()
        try:
            self.get("/health")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False
        return True
