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

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.api.conftest import Client
from tests.api.test_jobs import LONG
from tests.conftest import finished, until
from webui.api.event_stream import MOST_WAITING, Reader, event_stream
from webui.api.recent import RecentEvents
from webui.core.events import (
    EngineChanged,
    Finished,
    JobEvent,
    JobProgress,
    PreviewReady,
    Queued,
)
from webui.core.job import LOCAL, Job, PersonId
from webui.core.person import Role
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
    stream = stream_of(bus, heartbeat_s)
    assert await anext(stream) == "retry: 1000\n"
    assert "event: state\ndata: {}\n\n" in await anext(stream)
    return stream


def stream_of(bus: EventBus, heartbeat_s: float = 5) -> AsyncIterator[str]:
    reader = Reader(person=LOCAL, role=Role.OWNER, read_state=lambda: "{}", heartbeat_s=heartbeat_s)
    return event_stream(RecentEvents(bus, "boot"), reader)


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

    assert asyncio.run(read()) == ([], 1)  # the newest events are still kept


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
        stream = await started(bus)
        before = bus.watchers
        task = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return [before, bus.watchers]

    assert asyncio.run(leave()) == [2, 1]


def test_events_after_the_server_has_stopped_do_no_harm() -> None:
    bus = CountingBus()

    loop = asyncio.new_event_loop()
    stream = loop.run_until_complete(started(bus))
    loop.close()
    assert bus.publish(EngineChanged(engine="x")).seq == 1
    assert bus.watchers == 2
    del stream


@contextlib.contextmanager
def raw_events(client: Client, query: str = "", *headers: str) -> Iterator[Iterator[str]]:
    """The lines of a stream."""
    lines = [f"GET /api/v1/events{query} HTTP/1.1", f"Host: {client.site.host}", *headers]
    with client.site.connect() as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        with connection.makefile("rb") as file:
            yield (line.decode().rstrip() for line in file)


def id_after(lines: Iterator[str], kind: str) -> str:
    """The id of the first event of a kind."""
    id = ""
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "id":
            id = value
        elif (name, value) == ("event", kind):
            return id
    raise AssertionError(kind)


def kinds_until(lines: Iterator[str], last: str) -> list[str]:
    kinds: list[str] = []
    for line in lines:
        if line.startswith("event: "):
            kinds.append(line.removeprefix("event: "))
        if kinds and kinds[-1] == last:
            break
    return kinds


@pytest.mark.parametrize("way", ["header", "query"])
def test_a_reader_that_comes_back_gets_what_it_missed(client: Client, way: str) -> None:
    with raw_events(client) as lines:
        last = id_after(lines, "state")
    id = client.make(prompt="x", width=64, height=64)["id"]
    more = ("", f"Last-Event-ID: {last}") if way == "header" else (f"?after={last}",)
    with raw_events(client, *more) as lines:
        kinds = kinds_until(lines, "finished")
    assert kinds[:2] == ["resumed", "queued"]
    assert kinds.count("finished") == kinds.count("picture_saved") == 1
    assert id


def test_every_event_is_told_once_across_breaks(client: Client) -> None:
    """A reader that is cut off after each single event."""
    with raw_events(client) as lines:
        last = id_after(lines, "state")
    id = client.make(prompt="x", width=64, height=64)["id"]
    seen: list[str] = []
    while "finished" not in seen:
        with raw_events(client, f"?after={last}") as lines:
            assert next_event(lines)[1] == "resumed"
            last, kind = next_event(lines)
            seen.append(kind)
    for kind in ("queued", "started", "picture_saved", "finished"):
        assert seen.count(kind) == 1, (id, seen)


def next_event(lines: Iterator[str]) -> tuple[str, str]:
    """Id and kind."""
    id = ""
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "id":
            id = value
        elif name == "event":
            return id, value
    raise AssertionError("the stream ended")


def test_another_life_of_the_server_begins_with_the_state(client: Client) -> None:
    for unknown in ("boot-1", "x", "-", f"{client.studio.jobs.boot}-{'0' * 32}", "1", "boot-²"):
        with raw_events(
            client, "", f"Last-Event-ID: {unknown}".encode().decode("latin-1")
        ) as lines:
            assert next_event(lines)[1] == "state"


def test_what_is_too_long_ago_can_not_be_told() -> None:
    bus = EventBus()
    recent = RecentEvents(bus, "boot", most=3)
    for _ in range(5):
        bus.publish(EngineChanged(engine="x"))
    assert recent.after(recent.name(1), LOCAL) is None
    kept = recent.after(recent.name(2), LOCAL)
    assert kept is not None
    assert [message.seq for message in kept] == [3, 4, 5]
    assert recent.after(recent.name(5), LOCAL) == []
    assert recent.after(recent.name(6), LOCAL) is None


def test_old_progress_makes_no_gap(studio: Studio) -> None:
    bus = EventBus()
    recent = RecentEvents(bus, "boot", most=3)
    job = studio.submit(GenerationRequest(prompt="x"))
    for step in range(50):
        bus.publish(progress(step), job)
    bus.publish(Finished(seconds=1), job)
    kept = recent.after(recent.name(0), LOCAL)
    assert kept is not None
    assert [message.seq for message in kept] == [50, 51]


def test_what_was_missed_is_told_to_those_it_concerns(client: Client) -> None:
    recent = RecentEvents(client.studio.bus, "boot")
    theirs = client.studio.submit(GenerationRequest(width=64, height=64), PersonId("other"))
    finished(client.studio, theirs.id)
    until(lambda: recent.after(recent.name(0), PersonId("other")))
    mine = recent.after(recent.name(0), LOCAL)
    assert mine is not None
    assert theirs.id not in {message.job_id for message in mine}


def told_by_socket(client: Client, query: str, last: str) -> list[Any]:
    """The messages of a websocket up to the first of a kind."""
    address = f"ws://{client.site.host}/api/v1/events/ws{query}"
    with connect(address, origin=Origin(client.site.origin)) as socket:
        messages = []
        for text in socket:
            messages.append(json.loads(text))
            if messages[-1]["event"] == last:
                break
    return messages


def test_a_websocket_tells_the_same(client: Client) -> None:
    (state,) = told_by_socket(client, "", "state")
    assert state["data"]["jobs"] == []
    id = client.make(prompt="x", width=64, height=64)["id"]
    messages = told_by_socket(client, f"?after={state['id']}", "finished")
    assert messages[0]["event"] == "resumed"
    mine = [message["event"] for message in messages if message["data"].get("job_id") == id]
    assert mine[:2] == ["queued", "started"]
    assert mine[-1] == "finished"


def test_a_websocket_of_another_site_is_refused(client: Client) -> None:
    address = f"ws://{client.site.host}/api/v1/events/ws"
    with pytest.raises(InvalidStatus) as raised, connect(address, origin=Origin("http://evil")):
        pass
    assert raised.value.response.status_code == 403


def test_a_websocket_that_is_left_is_forgotten(client: Client) -> None:
    told_by_socket(client, "", "state")
    until(lambda: client.site.gate.streams.count == 0)
