"""What a thousand idle event streams and a thousand silent connections cost a real user.

    python benchmarks/idle_streams.py [--streams 1000] [--silent 1000]

Starts the real server with accounts, opens the streams for 25 people from ten addresses of this
machine, then connections that never say a word, and asks for the state as somebody else before and
after. Prints the memory of the web process in MB and the p95 in ms, as JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import re
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from webui.core.job import LOCAL
from webui.core.person import Role
from webui.people.people import People

ROOT = Path(__file__).resolve().parent.parent
PEOPLE, ADDRESSES = 25, 10
ASKED = 300


def main() -> None:
    """Print the figures of one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--silent", type=int, default=1000)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, most), most))
    with tempfile.TemporaryDirectory() as folder, ExitStack() as held:
        keys = make_people(Path(folder))
        process, port = held.enter_context(serving(Path(folder)))
        ask(port, keys[0], 100)
        found = {"calm": figures(process, port, keys[0])}
        for n in range(options.streams):
            address = f"127.0.0.{2 + n % ADDRESSES}"
            held.enter_context(open_stream(port, keys[1 + n % PEOPLE], address))
        found["streams"] = figures(process, port, keys[0])
        for n in range(options.silent):
            held.enter_context(connect(port, f"127.0.0.{2 + n % ADDRESSES}"))
        found["streams and silent"] = figures(process, port, keys[0])
        print(json.dumps(found, indent=2))


def make_people(folder: Path) -> list[str]:
    """The owner, and people with an API key each; the keys."""
    (folder / "data").mkdir()
    people = People(folder / "data" / "people.sqlite")
    people.create_owner("Ada", "four words in a row")
    made = [people.add(f"person {n}", Role.ARTIST, by=LOCAL)[0].id for n in range(PEOPLE)]
    keys = [people.keys.make(id, "load", Role.ARTIST).secret for id in (LOCAL, *made)]
    people.close()
    return keys


@contextmanager
def serving(folder: Path) -> Iterator[tuple[psutil.Process, int]]:
    """The real server, on loopback with accounts."""
    log = folder / "log.txt"
    flags = ["--sign-in", "--engine", "fake", "--port", "0", "--no-autolaunch"]
    with log.open("wb") as file:
        command = [sys.executable, "app.py", "--data-dir", str(folder), *flags]
        process = subprocess.Popen(command, cwd=ROOT, stderr=file)
    try:
        while not (found := re.search(r"Gesso is at http://localhost:(\d+)", log.read_text())):
            time.sleep(0.2)
        yield psutil.Process(process.pid), int(found[1])
    finally:
        process.terminate()
        process.wait(60)


def connect(port: int, address: str) -> socket.socket:
    """A connection from one of this machine's own addresses."""
    return socket.create_connection(("127.0.0.1", port), timeout=60, source_address=(address, 0))


def open_stream(port: int, key: str, address: str) -> socket.socket:
    """An event stream that has begun."""
    opened = connect(port, address)
    head = f"GET /api/v1/events HTTP/1.1\r\nHost: localhost:{port}\r\n"
    opened.sendall(f"{head}Authorization: Bearer {key}\r\n\r\n".encode())
    if not opened.recv(12).endswith(b"200"):
        raise SystemExit("A stream was refused.")
    return opened


def figures(process: psutil.Process, port: int, key: str) -> dict[str, float]:
    """Memory of the web process, and what a real user waits."""
    rounds = [ask(port, key, ASKED) for _ in range(3)]
    times = min(rounds, key=lambda round: statistics.quantiles(round, n=20)[-1])
    return {
        "web process MB": round(process.memory_info().rss / 1e6, 1),
        "p50 ms": round(statistics.median(times) * 1000, 2),
        "p95 ms": round(statistics.quantiles(times, n=20)[-1] * 1000, 2),
    }


def ask(port: int, key: str, times: int) -> list[float]:
    """Seconds that each of some requests took, each on a connection of its own."""
    taken = []
    for _ in range(times):
        started = time.monotonic()
        with contextlib.closing(http.client.HTTPConnection("localhost", port)) as connection:
            headers = {"Authorization": f"Bearer {key}"}
            connection.request("GET", "/api/v1/session", headers=headers)
            answer = connection.getresponse()
            answer.read()
        if answer.status != 200:
            raise SystemExit(f"A request was answered with {answer.status}.")
        taken.append(time.monotonic() - started)
    return taken


if __name__ == "__main__":
    main()
