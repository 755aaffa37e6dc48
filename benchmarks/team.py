"""A team on one server: 50 people whose jobs take a second, one of whom queues 3,000.

    PYTHONPATH=. python benchmarks/team.py [--seconds 300] [--people 50] [--flood 3000]

The server runs in a process of its own with accounts and API keys, the whole page, the gate, and
the fake engine. Each person hands in a job, looks at the state until it is done, and hands in the
next; now and then somebody loads the page. Told are the waits, how far people are apart, whether
any job ran twice, and how many jobs of the one with the flood came before another's next job.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import sqlite3
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

STEPS = 20
STEP_S = 0.05
LOOK_EVERY_S = 1.0
PAGE_EVERY_S = 15.0
FLOODER = 0
JOB = {"width": 64, "height": 64, "sampling": {"steps": STEPS}}


@dataclass
class Waits:
    """Milliseconds until answers came, by what was asked."""

    of: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    refused: Counter[str] = field(default_factory=Counter)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--flood", type=int, default=3000)
    asked = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        server = context.Process(target=serve, args=(folder, asked.people, asked.flood, theirs))
        server.start()
        port, keys, names = ours.recv()
        waits = Waits()
        began = time.time()
        try:
            asyncio.run(everybody(port, keys, asked.seconds, waits))
        finally:
            ours.send("stop")
            used_s = ours.recv()
            server.join()
        report(waits)
        requests = sum(map(len, waits.of.values()))
        print(f"server: {used_s:.1f} s of a processor, {used_s / requests * 1000:.1f} ms a request")
        report_turns(Path(folder) / "data" / "jobs.sqlite", names, began, began + asked.seconds)


def serve(folder: str, people: int, flood: int, pipe: Connection) -> None:
    """The server; tells its port, a key of each person, and their ids."""
    from tests.gate.site import serving
    from webui.api.build import ASSETS, build_api
    from webui.api.doorkeeper import PeopleDoorkeeper
    from webui.core.person import Role
    from webui.core.request import GenerationRequest, Sampling
    from webui.engine.process import EngineProcess
    from webui.gate.gate import Surroundings
    from webui.gate.server import protect
    from webui.settings import SettingsStore
    from webui.studio import Studio
    from webui.ui.build import mount_page

    settings = SettingsStore({"data_dir": folder, "keep_free_mb": 0})
    engine = EngineProcess("fake", "webui.engine.fake:create", {"seconds_per_step": STEP_S})
    studio = Studio(settings, [engine])
    owner = studio.people.create_owner("Olga", "four words in a row")
    artists = [
        studio.people.add(f"Artist {number}", Role.ARTIST, by=owner.id)[0]
        for number in range(people)
    ]
    keys = [studio.people.keys.make(one.id, "team", Role.ARTIST).secret for one in artists]
    studio.start()
    asked = GenerationRequest(width=64, height=64, sampling=Sampling(steps=STEPS))
    for _ in range(flood):
        studio.submit(asked, artists[FLOODER].id)

    async def build() -> object:
        return mount_page(build_api(studio, ASSETS), studio)

    app = asyncio.run(build())
    gate = protect(app, Surroundings(doorkeeper=PeopleDoorkeeper(studio.people)))
    with serving(gate) as site:
        pipe.send((site.port, keys, [one.id for one in artists]))
        used = time.process_time()
        pipe.recv()
        pipe.send(time.process_time() - used)
    studio.close()


async def everybody(port: int, keys: list[str], seconds: float, waits: Waits) -> None:
    """All people at once, until the time is over."""
    import httpx

    until = time.monotonic() + seconds
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    base = f"http://localhost:{port}"
    async with httpx.AsyncClient(base_url=base, limits=limits, timeout=60) as client:
        await asyncio.gather(
            *(
                person(client, number, key, until, waits)
                for number, key in enumerate(keys)
                if number != FLOODER
            )
        )


async def person(client: object, number: int, key: str, until: float, waits: Waits) -> None:
    """One person: a job after the other, a look at the state each second, the page now and then."""
    headers = {"Authorization": f"Bearer {key}", "X-Gesso": "1"}
    page_at = time.monotonic() + PAGE_EVERY_S * number / 50
    await asyncio.sleep(number * 0.05)
    job = None
    while time.monotonic() < until:
        if job is None:
            answer = await timed(client, waits, "submit", "POST", "/api/v1/jobs", headers, JOB)
            job = answer and answer["id"]
        await asyncio.sleep(LOOK_EVERY_S)
        state = await timed(client, waits, "status", "GET", "/api/v1/state", headers)
        if state is not None and job not in [one["id"] for one in state["jobs"]]:
            job = None
        if time.monotonic() >= page_at:
            page_at += PAGE_EVERY_S
            await timed(client, waits, "page", "GET", "/", headers)


async def timed(
    client: object,
    waits: Waits,
    what: str,
    method: str,
    path: str,
    headers: dict[str, str],
    body: object = None,
) -> dict[str, object] | None:
    """The answer's JSON, None for one that is not; its time is kept."""
    import httpx

    began = time.perf_counter()
    try:
        answer = await client.request(method, path, headers=headers, json=body)  # type: ignore[attr-defined]
    except httpx.TransportError as error:  # the gate closed an idle connection just then
        waits.refused[f"{what} {type(error).__name__}"] += 1
        return None
    waits.of[what].append((time.perf_counter() - began) * 1000)
    if answer.status_code >= 400:
        waits.refused[f"{what} {answer.status_code}"] += 1
        return None
    return json.loads(answer.content) if path != "/" else None


def report(waits: Waits) -> None:
    for what, times in waits.of.items():
        p95 = statistics.quantiles(times, n=20)[-1]
        print(f"{what:8} {len(times):6} asked, median {statistics.median(times):7.1f} ms, ", end="")
        print(f"p95 {p95:7.1f} ms, longest {max(times):7.1f} ms")
    print("refused:", dict(waits.refused) or "nothing")


def report_turns(path: Path, people: list[str], began: float, ended: float) -> None:
    """What the jobs table says of the turns."""
    with sqlite3.connect(path) as rows:
        starts = rows.execute(
            "SELECT event.at, owner, job_id, created_at FROM event JOIN job ON job.id = job_id"
            " WHERE kind = 'started' ORDER BY event.at"
        ).fetchall()
    rows.close()
    twice = [id for id, count in Counter(id for _, _, id, _ in starts).items() if count > 1]
    served = Counter(owner for at, owner, _, _ in starts if began + 5 <= at <= ended)
    counts = [served[one] for one in people]
    print(f"jobs begun {len(starts)}, twice {len(twice)}; each person {min(counts)}..{max(counts)}")
    flooder = people[FLOODER]
    worst = 0
    for at, owner, _, created_at in starts:
        if owner != flooder:
            before = sum(1 for t, o, _, _ in starts if o == flooder and created_at < t < at)
            worst = max(worst, before)
    print(f"of the flood before anybody's next job: at most {worst}")


if __name__ == "__main__":
    main()
