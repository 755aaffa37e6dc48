"""The whole program, from its start to its end, talks to nobody but this machine."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.api.accounts import Visitor
from tests.conftest import png, until
from tests.gate.site import Answer, Site, read_answer
from webui.gate.audit import Table
from webui.gate.gate import Gate

ROOT = Path(__file__).resolve().parents[2]

WATCHER = '''
"""Loaded by every Python process of the program: notes each look-up and each connection."""
import os, sys

def note(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "socket.sendto"):
        target = arguments[1] if event in ("socket.connect", "socket.sendto") else arguments[0]
        if isinstance(target, (bytes, str)) and event.startswith("socket.con"):
            return  # a pipe of this machine: AF_UNIX
        host = target[0] if isinstance(target, tuple) else target
        with open(os.environ["WATCHER_LOG"], "a") as log:
            log.write(f"{event} {host}\\n")

sys.addaudithook(note)
with open(os.environ["WATCHER_LOG"], "a") as log:
    log.write(f"watching {os.getpid()}\\n")
'''
LOCAL = {"127.0.0.1", "::1", "localhost", "None", ""}


@contextmanager
def program(folder: Path, *more: str) -> Iterator[int]:
    """The program with the fake engine, every process of it watched; the port it serves."""
    (folder / "sitecustomize.py").write_text(WATCHER)
    port = free_port()
    environment = {
        **{key: value for key, value in os.environ.items() if "GRADIO" not in key},
        "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}",
        "WATCHER_LOG": str(folder / "log"),
    }
    del environment["HF_HUB_OFFLINE"]  # the program has to see to that itself
    flags = ["--engine", "fake", "--no-autolaunch", "--port", str(port), *more]
    command = [sys.executable, str(ROOT / "app.py"), *flags, "--data-dir", str(folder / "data")]
    with subprocess.Popen(command, cwd=folder, env=environment) as process:
        try:
            until(lambda: process.poll() is None and is_up(port), seconds=120)
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int, method: str, path: str, body: bytes = b"", kind: str = "") -> Answer:
    lines = [f"{method} {path} HTTP/1.1", f"Host: localhost:{port}", f"Content-Length: {len(body)}"]
    lines += [f"Content-Type: {kind}"] if kind else []
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        return read_answer(connection, method)


def is_up(port: int) -> bool:
    try:
        return ask(port, "GET", "/health").status == 200
    except OSError:
        return False


def test_the_watcher_sees_what_it_should(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WATCHER)
    code = (
        "import socket; socket.getaddrinfo('localhost', 80); "
        "socket.socket().connect(('127.0.0.2', 9))"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "WATCHER_LOG": str(tmp_path / "log")}
    subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    log = (tmp_path / "log").read_text()
    assert "socket.getaddrinfo localhost\n" in log
    assert "socket.connect 127.0.0.2\n" in log


def test_nothing_is_looked_up_or_connected_to_outside(tmp_path: Path) -> None:
    with program(tmp_path) as port:
        assert ask(port, "GET", "/").status == 200
        assert ask(port, "GET", "/config").status == 200
        assert ask(port, "POST", "/api/v1/inputs", png()).status == 201
        assert ask(port, "GET", "/gradio_api/file=https://evil.example/x.png").status == 404
        job = ask(port, "POST", "/api/v1/jobs", b'{"prompt": "x"}', "application/json")
        assert job.status == 202
        id = json.loads(job.body)["id"]
        until(lambda: b'"done"' in ask(port, "GET", f"/api/v1/jobs/{id}").body, seconds=60)
    assert contacted(tmp_path) - LOCAL == set()


def contacted(folder: Path) -> set[str]:
    """Whom the processes of the program asked for or connected to."""
    notes = (folder / "log").read_text().split("\n")
    watched = [note for note in notes if note.startswith("watching")]
    assert len(watched) >= 2  # the server and its engine
    return {note.split(" ", 1)[1] for note in notes if note.startswith("socket.")}


def process_arguments() -> list[bytes]:
    """What every process of this machine was started with, where that can be read."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended
            found.append(path.read_bytes())
    return found


@pytest.mark.slow
def test_a_session_with_accounts_stays_inside(tmp_path: Path) -> None:
    with program(tmp_path, "--sign-in") as port:
        owner = Visitor(site=Site(port=port, gate=Gate(None, Table(()))))  # type: ignore[arg-type]
        words = {"name": "Ada", "password": "four planted words here"}
        owner.json("POST", "/api/v1/first-run", words)
        owner.json("POST", "/api/v1/keys", {"name": "a program"}, 201)
        link = owner.json("POST", "/api/v1/invitations", {"role": "artist"}, 201)["path"]
        ann = Visitor(site=owner.site)
        ann.json("POST", f"/api/v1{link}", {**words, "name": "Ann"})
        job = ann.json("POST", "/api/v1/jobs", {"prompt": "x"}, 202)["id"]
        until(lambda: ann.json("GET", f"/api/v1/jobs/{job}")["state"] == "done", seconds=60)
        arguments = process_arguments()
        owner.json("DELETE", "/api/v1/sessions")
    assert contacted(tmp_path) - LOCAL == set()
    told = b"".join([*arguments, (tmp_path / "data" / "data" / "gesso.log").read_bytes()])
    secrets = [words["password"], link.rpartition("/")[2], ann.cookies["gesso_session"]]
    assert [secret for secret in secrets if secret.encode() in told] == []
