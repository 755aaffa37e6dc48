"""The event stream: the state first, then what happens, and no reader can hold anybody up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from tests.api.conftest import Client
from tests.api.test_jobs import LONG
from tests.conftest import until
from webui.api.event_stream import MOST_WAITING, event_stream
from webui.core.events import (
    EngineChanged,
    Finished,
    JobEvent,
    JobProgress,
    PreviewReady,
    Queued,
)
from webui.core.job import LOCAL, Job, PersonId
from webui.core.request import GenerationRequest
from webui.jobs.bus import EventBus, Watcher
from webui.studio import Studio

Event = tuple[str, Any]


@contextlib.contextmanager
def events_of(client: Client) -> Iterator[Iterator[Event]]:
    """The events of a stream as they come."""
    with client.site.connect() as connection:
        request = f"GET /api/v1/events HTTP/1.1\r\nHost: {client.site.host}\r\n\r\n"
        connection.sendall(request.encode())
        with connection.makefile("rb") as lines:
            yield read_events(lines)


def read_events(lines: Any) -> Iterator[Event]:
    kind = ""
    for line in lines:
        name, _, value = line.decode().rstrip().partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            yield kind, json.loads(value)


def test_a_job_is_told_from_the_queue_to_its_end(client: Client) -> None:
    with events_of(client) as events:
        kind, state = next(events)
        assert (kind, state["jobs"]) == ("state", [])
        id = client.post("/api/v1/jobs", {"prompt": "x"})["id"]
        seen = []
        for kind, data in events:
            if data["job_id"] == id:
                seen.append((kind, data))
            if kind == "finished":
                break
    kinds = [kind for kind, _ in seen]
    assert kinds[:2] == ["queued", "started"]
    assert kinds[-2:] == ["picture_saved", "finished"]
    assert "job_progress" in kinds
    told = dict(seen)
    job = client.json(f"/api/v1/jobs/{id}")
    assert told["picture_saved"]["picture_id"] == job["pictures"][0]["id"]
    assert set(told["job_progress"]) >= {"job_id", "fraction", "step", "steps", "seconds_left"}


def test_a_new_reader_sees_what_runs(slow_client: Client) -> None:
    id = slow_client.post("/api/v1/jobs", LONG)["id"]
    until(lambda: slow_client.json(f"/api/v1/jobs/{id}")["progress"])
    with events_of(slow_client) as events:
        _, state = next(events)
        (job,) = state["jobs"]
        assert (job["id"], job["state"]) == (id, "running")
        assert job["progress"]["steps"] == 150
        assert next(events)[1]["job_id"] == id
    slow_client.post(f"/api/v1/jobs/{id}/cancel", status=200)


def test_somebody_elses_job_is_not_told(client: Client) -> None:
    with events_of(client) as events:
        next(events)
        theirs = client.studio.submit(GenerationRequest(prompt="secret"), PersonId("other"))
        mine = client.post("/api/v1/jobs", {"prompt": "mine"})["id"]
        ids = set()
        for kind, data in events:
            ids.add(data["job_id"])
            if kind == "finished" and data["job_id"] == mine:
                break
    assert theirs.id not in ids


def test_the_stream_is_not_kept_by_anyone(client: Client) -> None:
    with client.site.connect() as connection:
        connection.sendall(
            f"GET /api/v1/events HTTP/1.1\r\nHost: {client.site.host}\r\n\r\n".encode()
        )
        head = connection.recv(4096).split(b"\r\n\r\n")[0].lower()
    assert b"content-type: text/event-stream" in head
    assert b"cache-control: no-store" in head
    assert b"x-content-type-options: nosniff" in head


def test_a_reader_that_stops_reading_holds_nobody_up(client: Client) -> None:
    """Ten readers that never read; a thousand events each of which would fill a page."""
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            connection = stack.enter_context(client.site.connect())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(
                f"GET /api/v1/events HTTP/1.1\r\nHost: {client.site.host}\r\n\r\n".encode()
            )
        job = client.studio.submit(GenerationRequest(prompt="x"))
        started = time.monotonic()
        for number in range(1000):
            client.studio.bus.publish(progress(number, "x" * 1000), job)
        took = time.monotonic() - started
        started = time.monotonic()
        assert client.get("/api/v1/state").status == 200
        answered = time.monotonic() - started
    assert took < 5
    assert answered < 5


def progress(step: int, note: str = "") -> JobProgress:
    return JobProgress(
        fraction=0.5, step=step, steps=9, picture=1, pictures=1, seconds_left=None, note=note
    )


class CountingBus(EventBus):
    """A bus that tells how many watch it."""

    watchers = 0

    def subscribe(self, watcher: Watcher) -> Callable[[], None]:
        forget = super().subscribe(watcher)
        self.watchers += 1

        def leave() -> None:
            self.watchers -= 1
            forget()

        return leave


async def started(bus: EventBus, heartbeat_s: float = 5) -> AsyncIterator[str]:
    """A stream that has sent its state."""
    stream = event_stream(bus, lambda: "{}", LOCAL, heartbeat_s)
    assert "event: state\ndata: {}\n\n" in await anext(stream)
    return stream


def published(bus: EventBus, job: Job | None, *events: JobEvent) -> None:
    """Publish from another thread, as engines do."""
    thread = threading.Thread(target=lambda: [bus.publish(event, job) for event in events])
    thread.start()
    thread.join()


def test_a_slow_reader_gets_the_newest_progress_only(studio: Studio) -> None:
    job = studio.submit(GenerationRequest(prompt="x"))

    async def read() -> str:
        bus = EventBus()
        stream = await started(bus)
        news = [progress(step) for step in range(5000)]
        previews = [PreviewReady(version=version) for version in range(5000)]
        published(bus, job, Queued(), *news, *previews, Finished(seconds=1))
        return await anext(stream)

    text = asyncio.run(read())
    kinds = [line for line in text.splitlines() if line.startswith("event")]
    assert kinds == [
        "event: queued",
        "event: job_progress",
        "event: preview_ready",
        "event: finished",
    ]
    assert '"step":4999' in text
    assert '"version":4999' in text


def test_a_reader_that_is_too_far_behind_is_cut_off(studio: Studio) -> None:
    job = studio.submit(GenerationRequest(prompt="x"))

    async def read() -> tuple[list[str], int]:
        bus = CountingBus()
        stream = await started(bus)
        published(bus, job, *[Queued()] * (MOST_WAITING + 1))
        return [text async for text in stream], bus.watchers

    assert asyncio.run(read()) == ([], 0)


def test_what_fits_is_not_cut_off(studio: Studio) -> None:
    job = studio.submit(GenerationRequest(prompt="x"))

    async def read() -> str:
        bus = EventBus()
        stream = await started(bus)
        published(bus, job, *[Queued()] * MOST_WAITING)
        return await anext(stream)

    assert asyncio.run(read()).count("event: queued") == MOST_WAITING


def test_a_quiet_stream_shows_that_it_lives() -> None:
    async def read() -> str:
        return await anext(await started(EventBus(), heartbeat_s=0.01))

    assert asyncio.run(read()) == ": still here\n\n"


def test_a_reader_that_leaves_is_forgotten() -> None:
    async def leave() -> list[int]:
        bus = CountingBus()
        stream = event_stream(bus, lambda: "{}", LOCAL)
        await anext(stream)
        before = bus.watchers
        task = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return [before, bus.watchers]

    assert asyncio.run(leave()) == [1, 0]


def test_events_after_the_server_has_stopped_do_no_harm() -> None:
    bus = CountingBus()

    async def begin() -> AsyncIterator[str]:
        stream = event_stream(bus, lambda: "{}", LOCAL)
        await anext(stream)
        return stream

    loop = asyncio.new_event_loop()
    stream = loop.run_until_complete(begin())
    loop.close()
    assert bus.publish(EngineChanged(engine="x")).seq == 1
    assert bus.watchers == 1
    del stream
