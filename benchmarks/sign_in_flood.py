"""A flood of wrong passwords, and how long somebody else waits for the studio meanwhile.

    PYTHONPATH=. python benchmarks/sign_in_flood.py [TRIES] [--only PHASE ...]

Three processes: the server, the flood, and this one, which asks as a person who is signed in. The
phases take turns, a fifth of the tries at a time, so that whatever else the machine does falls on
all of them:

| phase | |
|---|---|
| quiet | nothing, for a minute |
| one address | 100 connections, each of which tries again as soon as it is answered |
| many addresses | the same from 250 addresses (Linux only: they are loopback's) |
| leaving | within a minute, a connection for each try that is closed before the answer comes |
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from http.client import HTTPConnection
from multiprocessing.connection import Connection
from pathlib import Path

ROUNDS = 5
MINUTE_S = 60.0
PROBE_EVERY_S = 0.01
CONNECTIONS = 100
ADDRESSES = 250
SETTLE_S = 12.0
"""Until those that left are forgotten."""
PASSWORD = "four words in a row"
QUIET, ONE, MANY, LEAVING = "quiet", "one address", "many addresses", "leaving"


def main() -> None:
    phases = [QUIET, ONE, *([MANY] if sys.platform == "linux" else []), LEAVING]
    parser = argparse.ArgumentParser()
    parser.add_argument("tries", type=int, nargs="?", default=10_000)
    parser.add_argument("--only", nargs="+", choices=phases[1:], default=phases[1:])
    given = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        server = context.Process(target=serve, args=(folder, theirs))
        server.start()
        port, cookie = ours.recv()
        measure(context, port, cookie, given.tries // ROUNDS, [QUIET, *given.only])
        ours.send("stop")
        server.join()


def serve(folder: str, pipe: Connection) -> None:
    """A studio with an owner; tells its port and the owner's cookie."""
    from tests.api.accounts import open_house

    with open_house(Path(folder)) as house:
        cookie = house.owner().cookies["gesso_session"]
        pipe.send((house.site.port, f"gesso_session={cookie}"))
        pipe.recv()


def measure(
    context: multiprocessing.context.SpawnContext,
    port: int,
    cookie: str,
    tries: int,
    phases: Iterable[str],
) -> None:
    """Print how long the person's requests took in each phase, and what the flood was answered."""
    waits: dict[str, list[float]] = {phase: [] for phase in phases}
    answers: dict[str, Counter[int]] = {phase: Counter() for phase in waits}
    seconds = dict.fromkeys(waits, 0.0)
    for _ in range(ROUNDS):
        for phase in waits:
            begun = time.perf_counter()
            waits[phase] += beside(context, phase, port, cookie, tries, answers[phase])
            seconds[phase] += time.perf_counter() - begun
            time.sleep(SETTLE_S if phase == LEAVING else 0)
        report(waits, answers, seconds)


def beside(
    context: multiprocessing.context.SpawnContext,
    phase: str,
    port: int,
    cookie: str,
    tries: int,
    answers: Counter[int],
) -> list[float]:
    """Milliseconds that each request of a person takes through one phase."""
    ours, theirs = context.Pipe()
    flood = context.Process(target=run_flood, args=(phase, port, tries, theirs))
    flood.start()
    ours.recv()  # it is ready: starting a process is no part of it
    is_over = threading.Event()

    def listen() -> None:
        answers.update(ours.recv())
        is_over.set()

    threading.Thread(target=listen).start()
    waits = probe(port, cookie, is_over)
    flood.join()
    return waits


def probe(port: int, cookie: str, is_over: threading.Event) -> list[float]:
    """Ask again and again until it is over; milliseconds."""
    waits = []
    with closing(HTTPConnection("localhost", port)) as connection:
        while not is_over.wait(PROBE_EVERY_S):
            begun = time.perf_counter()
            connection.request("GET", "/api/v1/jobs", headers={"Cookie": cookie})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            waits.append((time.perf_counter() - begun) * 1000)
    return waits


def run_flood(phase: str, port: int, tries: int, pipe: Connection) -> None:
    """One phase; tells when it begins, and how its tries were answered."""
    pipe.send("ready")
    if phase == QUIET:
        time.sleep(MINUTE_S)
        pipe.send(Counter())
    else:
        pipe.send(asyncio.run(leave(port, tries) if phase == LEAVING else stay(phase, port, tries)))


async def stay(phase: str, port: int, tries: int) -> Counter[int]:
    """All connections share the tries."""
    answers: Counter[int] = Counter()
    numbers = iter(range(tries))
    await asyncio.gather(*(send(phase, port, numbers, answers) for _ in range(CONNECTIONS)))
    return answers


async def send(phase: str, port: int, numbers: Iterable[int], answers: Counter[int]) -> None:
    """One connection's tries; from many addresses each is another's."""
    reader = writer = None
    for number in numbers:
        if writer is None or phase == MANY:
            local = (f"127.0.1.{number % ADDRESSES + 1}", 0) if phase == MANY else None
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=local)
        assert reader is not None
        writer.write(attempt(port, f"name {number}"))
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        answers[int(head[9:12])] += 1
        if phase == MANY:
            writer.close()
    if writer is not None:
        writer.close()


async def leave(port: int, tries: int) -> Counter[int]:
    """Evenly through a minute."""
    begun = time.perf_counter()
    for number in range(tries):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(attempt(port, f"name {number}"))
        await writer.drain()
        writer.close()
        due = begun + (number + 1) * MINUTE_S / tries
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
    return Counter({0: tries})


def attempt(port: int, name: str) -> bytes:
    body = json.dumps({"name": name, "password": "wrong " + name}).encode()
    head = (
        f"POST /api/v1/session HTTP/1.1\r\nHost: localhost:{port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def report(
    waits: dict[str, list[float]], answers: dict[str, Counter[int]], seconds: Mapping[str, float]
) -> None:
    p95 = {phase: statistics.quantiles(times, n=20)[-1] for phase, times in waits.items()}
    for phase, times in waits.items():
        row = {
            "phase": phase,
            "seconds": round(seconds[phase]),
            "requests": len(times),
            "p50_ms": round(statistics.median(times), 2),
            "p95_ms": round(p95[phase], 2),
            "p95_to_quiet": round(p95[phase] / p95[QUIET], 3),
            "flood": {str(status): count for status, count in sorted(answers[phase].items())},
        }
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
