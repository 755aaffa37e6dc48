"""A server for the network, as it is started: closed until there is an owner, then open.

Nothing here listens to a real network: 127.0.0.2 stands for the address that others use.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import until

pytestmark = pytest.mark.skipif(
    sys.platform == "darwin", reason="127.0.0.2 has to be set up there first"
)

ROOT = Path(__file__).resolve().parent.parent.parent
OTHERS = "127.0.0.2"
PASSWORD = "four words in a row"
Start = Callable[..., "Server"]


class Server:
    """A process of app.py that others may reach."""

    def __init__(self, data: Path, *flags: str) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self.log, self.screen = data / "log.txt", data / "screen.txt"
        command = [sys.executable, "app.py", "--data-dir", str(data), "--engine", "fake", "--lan"]
        more = ["--no-autolaunch", "--keep-free-mb", "0", "--port", "0", "--listen", OTHERS]
        with self.log.open("wb") as log, self.screen.open("wb") as screen:
            self.process = subprocess.Popen(
                [*command, *more, *flags], cwd=ROOT, stdout=screen, stderr=log
            )
        self.scheme = "https" if "--tls" in flags else "http"
        self.jar: dict[str, str] = {}

    @property
    def port(self) -> int:
        """Where it serves, once it does."""
        found = until(lambda: re.search(r"Gesso is at https?://localhost:(\d+)", self.said()), 60)
        return int(found[1])

    def said(self) -> str:
        return self.log.read_text("utf-8")

    def shown(self) -> str:
        return self.screen.read_text("utf-8")

    def can_be_reached(self, address: str) -> bool:
        """Whether anything listens there."""
        try:
            socket.create_connection((address, self.port), timeout=10).close()
        except OSError:
            return False
        return True

    def ask(
        self, path: str, body: dict[str, Any] | None = None, host: str = "localhost"
    ) -> tuple[int, Any]:
        """Status and JSON of an answer, with the cookies of one browser."""
        request = urllib.request.Request(f"{self.scheme}://{host}:{self.port}{path}")
        request.add_header("Cookie", "; ".join(f"{k}={v}" for k, v in self.jar.items()))
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
            request.add_header("X-Gesso", "1")
        context = ssl._create_unverified_context()
        try:
            with urllib.request.urlopen(request, timeout=30, context=context) as answer:
                for line in answer.headers.get_all("Set-Cookie") or ():
                    name, _, value = line.partition(";")[0].partition("=")
                    self.jar[name] = value
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.loads(refusal.read())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


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
        server.process.wait(60)


def answers(server: Server, host: str = "localhost") -> bool:
    try:
        return server.ask("/health", host=host)[0] == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def test_the_network_opens_once_there_is_an_owner(start: Start, tmp_path: Path) -> None:
    server = start(tmp_path)
    until(lambda: answers(server), 60)
    assert "has no owner yet, so only this machine can reach it" in server.said()
    assert not server.can_be_reached(OTHERS)
    assert server.ask("/api/v1/state")[0] == 401
    status, me = server.ask("/api/v1/first-run", {"name": "Ada", "password": PASSWORD})
    assert (status, me["role"]) == (200, "owner")
    until(lambda: server.can_be_reached(OTHERS), 30)
    assert server.ask("/api/v1/state")[0] == 200  # signed in, and nothing was restarted

    link = until(lambda: re.search(rf"http://{OTHERS}:{server.port}/join/(\S+)", server.shown()))
    server.jar.clear()
    assert server.ask("/api/v1/state", host=OTHERS)[0] == 401
    joining = {"name": "Bo", "password": "a horse of another colour"}
    status, me = server.ask(f"/api/v1/join/{link[1]}", joining, host=OTHERS)
    assert (status, me["role"]) == (200, "artist")
    assert server.ask("/api/v1/state", host=OTHERS)[0] == 200
    assert server.ask(f"/api/v1/join/{link[1]}", {**joining, "name": "Cy"})[0] == 404
    assert server.ask("/api/v1/first-run", {"name": "Eve", "password": PASSWORD})[0] == 403
    server.stop()
    assert link[1] not in server.said() + (tmp_path / "data" / "gesso.log").read_text("utf-8")
    assert "Traceback" not in server.said()


@pytest.mark.slow
def test_the_command_line_opens_a_server_that_waits(start: Start, tmp_path: Path) -> None:
    server = start(tmp_path, "--tls", "self")
    until(lambda: answers(server), 60)
    assert not server.can_be_reached(OTHERS)
    command = [sys.executable, "app.py", "owner", "Ada", "--data-dir", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, input=PASSWORD, text=True, check=True, timeout=60)
    until(lambda: server.can_be_reached(OTHERS), 30)
    assert answers(server, OTHERS)
    status, _ = server.ask("/api/v1/session", {"name": "Ada", "password": PASSWORD})
    assert (status, list(server.jar)) == (200, ["__Host-gesso_session"])
    assert "Its fingerprint" in server.shown()


@pytest.mark.slow
def test_a_server_with_an_owner_is_open_from_the_start(start: Start, tmp_path: Path) -> None:
    command = [sys.executable, "app.py", "owner", "Ada", "--data-dir", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, input=PASSWORD, text=True, check=True, timeout=60)
    server = start(tmp_path)
    until(lambda: answers(server), 60)
    assert answers(server, OTHERS)
    assert "has no owner" not in server.said()
    until(lambda: "/join/" in server.shown(), 30)


@pytest.mark.slow
def test_a_forgotten_password_is_replaced_while_the_server_runs(
    start: Start, tmp_path: Path
) -> None:
    command = [sys.executable, "app.py", "owner", "Ada", "--data-dir", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, input="forgotten by me", text=True, check=True, timeout=60)
    server = start(tmp_path)
    until(lambda: answers(server), 60)
    server.ask("/api/v1/session", {"name": "Ada", "password": "forgotten by me"})
    assert server.ask("/api/v1/state")[0] == 200
    subprocess.run(command, cwd=ROOT, input=PASSWORD, text=True, check=True, timeout=60)
    until(lambda: server.ask("/api/v1/state")[0] == 401, 30)
    assert server.ask("/api/v1/session", {"name": "Ada", "password": PASSWORD})[0] == 200


@pytest.mark.slow
def test_two_servers_for_a_team_never_share_a_data_folder(start: Start, tmp_path: Path) -> None:
    first = start(tmp_path)
    until(lambda: answers(first), 60)
    second = subprocess.run(
        [sys.executable, "app.py", "--data-dir", str(tmp_path), "--engine", "fake", "--lan",
         "--no-autolaunch", "--port", "0", "--listen", OTHERS],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert second.returncode == 3
    assert "already runs with the data folder" in second.stderr
    assert answers(first)


def test_an_address_that_is_not_here_is_told_at_once(start: Start, tmp_path: Path) -> None:
    command = [sys.executable, "app.py", "--data-dir", str(tmp_path), "--engine", "fake"]
    done = subprocess.run(
        [*command, "--no-autolaunch", "--lan", "--listen", "studio.lan"],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2
    assert "“studio.lan” is no address to listen on" in done.stderr
    assert "Traceback" not in done.stderr
