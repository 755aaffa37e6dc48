"""Large bodies wait for room; all have their turn."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.types import Message

from webui.api.sdapi.room import SMALL_BYTES, BodyRoom


def request_of(size: int | None) -> Request:
    """A request whose body is one byte, whatever it says."""
    headers = [] if size is None else [(b"content-length", str(size).encode())]

    async def receive() -> Message:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"x", "more_body": False}

    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


async def hold(
    room: BodyRoom, size: int | None, name: str, log: list[str], end: asyncio.Event
) -> None:
    async with room.body(request_of(size)) as body:
        assert body == b"x"
        log.append(name)
        await end.wait()


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def play() -> tuple[list[str], list[str], list[str]]:
    room, log = BodyRoom(most_bytes=10 * SMALL_BYTES), []
    ends = {name: asyncio.Event() for name in ("first", "large", "third", "small", "unknown")}
    sizes = {"first": 6, "large": 8, "third": 2, "small": 1}
    tasks = []
    for name in ends:
        size = sizes[name] * SMALL_BYTES if name in sizes else None
        tasks.append(asyncio.create_task(hold(room, size, name, log, ends[name])))
        await settle()
    begun = list(log)
    tasks[2].cancel()  # whoever goes away while they wait keeps nobody waiting
    ends["first"].set()
    await settle()
    later = list(log)
    ends["large"].set()
    await settle()
    for end in ends.values():
        end.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    return begun, later, log


def test_bodies_come_in_turn_as_far_as_there_is_room() -> None:
    begun, later, last = asyncio.run(play())
    assert begun == ["first", "small"]
    assert later == ["first", "small", "large"]
    assert last == ["first", "small", "large", "unknown"]
