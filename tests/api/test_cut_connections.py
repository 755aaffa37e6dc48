"""A network that stalls, cuts and resets: a follower of the events loses no result by it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import struct
from collections.abc import AsyncIterator
from typing import Final

import pytest

from tests.api.conftest import Client
from tests.gate.site import Site

pytestmark = pytest.mark.slow

JOBS: Final = 12
PIECE: Final = 512
PATIENCE_S: Final = 60
RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: close() sends RST and drops what was not sent."""
JOB: Final = {"width": 64, "height": 64, "sampling": {"steps": 20}}
WHAT_LASTS: Final = ("queued", "started", "picture_saved", "finished")


class Chaos:
    """A proxy before a server. Of each piece from the server it may cut the connection in the
    middle, reset it, or hold everything up for a while."""

    def __init__(self, port: int, cut: float, reset: float, stall: float, stall_s: float) -> None:
        self.server_port: Final = port
        self.odds: Final = (cut, reset, stall)
        self.stall_s: Final = stall_s
        self.done = {"cut": 0, "reset": 0, "stall": 0}
        self._chance: Final = random.Random(7)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until one of its ends has enough or chance has it."""
        theirs, ours = await asyncio.open_connection("127.0.0.1", self.server_port)
        up = asyncio.ensure_future(_pass_on(reader, ours))
        try:
            with contextlib.suppress(ConnectionError):
                while piece := await theirs.read(PIECE):
                    if not await self._let_through(piece, writer):
                        break
        finally:
            up.cancel()
            for end in (ours, writer):
                end.close()

    async def _let_through(self, piece: bytes, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on after this piece."""
        cut, reset, stall = (self._chance.random() < odds for odds in self.odds)
        if stall and not self.done["stall"]:
            self.done["stall"] += 1
            await asyncio.sleep(self.stall_s)
        if reset:
            self.done["reset"] += 1
            end: socket.socket = writer.get_extra_info("socket")
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            return False
        self.done["cut"] += cut
        writer.write(piece[: len(piece) // 2] if cut else piece)
        await writer.drain()
        return not cut


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()


class Follower:
    """A program that reads the events and asks again, from the last one that it read whole."""

    def __init__(self, site: Site, port: int) -> None:
        self.site: Final = site
        self.port: Final = port
        self.last = ""
        self.began_anew = 0
        self.connections = 0
        self.seen: list[tuple[str, str]] = []

    @property
    def finished(self) -> list[str]:
        """The jobs that it knows to be finished."""
        return [job for kind, job in self.seen if kind == "finished"]

    async def follow(self, jobs: int) -> None:
        """Until so many jobs are known to be finished."""
        while len(self.finished) < jobs:
            self.connections += 1
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                async for id, kind, data in self._events():
                    self._take(id, kind, data)
                    if len(self.finished) >= jobs:
                        return

    def _take(self, id: str, kind: str, data: str) -> None:
        self.last = id or self.last
        told = json.loads(data)
        if kind == "state":
            self.began_anew += 1
        elif kind in WHAT_LASTS:
            self.seen.append((kind, told["job_id"]))

    async def _events(self) -> AsyncIterator[tuple[str, str, str]]:
        """Whole events; what a cut left of one is dropped."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            lines = ["GET /api/v1/events HTTP/1.1", f"Host: {self.site.host}"]
            lines += [f"Last-Event-ID: {self.last}"] if self.last else []
            writer.write("\r\n".join([*lines, "", ""]).encode())
            await reader.readuntil(b"\r\n\r\n")
            event: dict[str, str] = {}
            while line := await reader.readline():
                name, is_field, value = line.decode().rstrip("\r\n").partition(": ")
                if is_field and line.endswith(b"\n"):
                    event[name] = value
                elif line.strip() == b"" and "data" in event:
                    yield event.get("id", ""), event["event"], event["data"]
                    event = {}
        finally:
            writer.close()


@pytest.mark.parametrize(
    ("cut", "reset", "stall"),
    [(0.01, 0.0, 0.0), (0.0, 0.05, 0.0), (0.05, 0.02, 0.2)],
    ids=["1 % cuts", "resets", "all at once, and a stall of 5 s"],
)
def test_progress_goes_on_and_no_result_is_lost(
    slow_client: Client, cut: float, reset: float, stall: float
) -> None:
    chaos = Chaos(slow_client.site.port, cut, reset, stall, stall_s=5)
    follower = asyncio.run(_work_through(slow_client, chaos))
    jobs = follower.finished
    assert len(jobs) == len(set(jobs)) == JOBS
    assert chaos.done["cut"] + chaos.done["reset"] + chaos.done["stall"] > 0
    for kind in ("started", "picture_saved"):
        assert sorted(job for said, job in follower.seen if said == kind) == sorted(jobs)
    assert follower.connections > 1
    assert follower.began_anew == 1


async def _work_through(client: Client, chaos: Chaos) -> Follower:
    proxy = await asyncio.start_server(chaos.serve, "127.0.0.1", 0)
    follower = Follower(client.site, proxy.sockets[0].getsockname()[1])
    async with proxy:
        following = asyncio.ensure_future(follower.follow(JOBS))
        while not follower.began_anew:
            await asyncio.sleep(0.01)
        for _ in range(JOBS):
            await asyncio.to_thread(client.post, "/api/v1/jobs", JOB)
        await asyncio.wait_for(following, PATIENCE_S)
    return follower
