"""A flood of wrong passwords, and how long somebody else waits for the studio meanwhile.

    PYTHONPATH=. python benchmarks/sign_in_flood.py [TRIES]

Three processes: the server, the flood, and this one, which asks as a person who is signed in. The
phases take turns, so that whatever else the machine does falls on all of them: nothing, the same
number of requests that need no password (what any flood costs), tries from one address, and tries
from 250 addresses (Linux only: they are loopback's).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, suppress
from http.client import HTTPConnection
from multiprocessing.connection import Connection
from pathlib import Path

ROUNDS = 2
PHASE_S = 60.0
PROBE_EVERY_S = 0.01
CONNECTIONS = 100
ADDRESSES_EACH = 2
PASSWORD = "four words in a row"
PHASES = ("quiet", "health", "one address", "many addresses")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("tries", type=int, nargs="?", default=10_000)
    tries = parser.parse_args().tries
    phases = PHASES if sys.platform == "linux" else PHASES[:3]
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        server = context.Process(target=serve, args=(folder, theirs))
        server.start()
        port, cookie = ours.recv()
        waits, answers = measure(context, port, cookie, tries // ROUNDS, phases)
        ours.send("stop")
        server.join()
    report(waits, answers)


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
    phases: tuple[str, ...],
) -> tuple[dict[str, list[float]], dict[str, Counter[int]]]:
    """Milliseconds of the person's requests in each phase, and what the flood was answered."""
    waits: dict[str, list[float]] = {phase: [] for phase in phases}
    answers: dict[str, Counter[int]] = {phase: Counter() for phase in phases}
    for _ in range(ROUNDS):
        for phase in phases:
            ours, theirs = context.Pipe()
            flood = context.Process(target=run_flood, args=(phase, port, tries, theirs))
            flood.start()
            ours.recv()  # it is ready: starting a process is no part of it
            waits[phase] += probe(port, cookie)
            answers[phase].update(ours.recv())
            flood.join()
    return waits, answers


def probe(port: int, cookie: str) -> list[float]:
    """Milliseconds that each request of a person takes, through one phase."""
    waits, end = [], time.perf_counter() + PHASE_S
    with closing(HTTPConnection("localhost", port)) as connection:
        while time.perf_counter() < end:
            begun = time.perf_counter()
            connection.request("GET", "/api/v1/jobs", headers={"Cookie": cookie})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            waits.append((time.perf_counter() - begun) * 1000)
            time.sleep(PROBE_EVERY_S)
    return waits


def run_flood(phase: str, port: int, tries: int, pipe: Connection) -> None:
    """Send so many requests, evenly over the phase; tells how they were answered."""
    pipe.send("ready")
    pipe.send(asyncio.run(flood(phase, port, tries)) if phase != "quiet" else Counter())


async def flood(phase: str, port: int, tries: int) -> Counter[int]:
    answers: Counter[int] = Counter()
    each = tries // CONNECTIONS
    senders = (send(phase, port, each, source, answers) for source in range(CONNECTIONS))
    with suppress(TimeoutError):  # whose answers come late are not waited for
        async with asyncio.timeout(PHASE_S):
            await asyncio.gather(*senders)
    return answers


async def send(phase: str, port: int, tries: int, source: int, answers: Counter[int]) -> None:
    """One connection's requests, as long as the phase lasts."""
    pause, begun = PHASE_S / tries, time.perf_counter()
    for number in range(tries):
        if number % (tries // ADDRESSES_EACH) == 0:
            host = source * ADDRESSES_EACH + number // (tries // ADDRESSES_EACH)
            local = (f"127.0.1.{host % 250 + 1}", 0) if phase == "many addresses" else None
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=local)
        writer.write(request(phase, port, f"name {source} {number}"))
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        answers[int(head[9:12])] += 1
        now = time.perf_counter()
        if now > begun + PHASE_S:
            break
        await asyncio.sleep(max(0, begun + (number + 1) * pause - now))
    writer.close()


def request(phase: str, port: int, name: str) -> bytes:
    body = json.dumps({"name": name, "password": "wrong " + name}).encode()
    lines = [f"GET /health HTTP/1.1\r\nHost: localhost:{port}"]
    if phase != "health":
        lines = [
            f"POST /api/v1/session HTTP/1.1\r\nHost: localhost:{port}",
            f"Content-Type: application/json\r\nContent-Length: {len(body)}",
        ]
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if phase == "health" else body)


def report(waits: dict[str, list[float]], answers: dict[str, Counter[int]]) -> None:
    p95 = {phase: statistics.quantiles(times, n=20)[-1] for phase, times in waits.items()}
    for phase, times in waits.items():
        row = {
            "phase": phase,
            "requests": len(times),
            "p50_ms": round(statistics.median(times), 2),
            "p95_ms": round(p95[phase], 2),
            "p95_to_quiet": round(p95[phase] / p95["quiet"], 3),
            "p95_to_health": round(p95[phase] / p95["health"], 3),
            "flood": {str(status): count for status, count in sorted(answers[phase].items())},
        }
        print(json.dumps(row))


if __name__ == "__main__":
    main()
