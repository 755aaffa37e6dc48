"""uvicorn's HTTP/1.1 connection with the deadlines and the cap that it lacks.

uvicorn waits for ever for the head of a request, for its body and for a reader that has stopped,
and takes any number of connections. Here each of these ends by itself.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from webui.gate.headers import SECURITY_HEADERS

_NO_LINGER: Final = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
"""On, for no seconds: closing resets the connection and drops what is unsent."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How patient the server is with one connection, and with one client's number of them."""

    head_s: float = 10.0
    """From the connection, or the first byte of a later request, to the end of the head."""
    body_window_s: float = 20.0
    body_window_bytes: int = 20_000
    """A body that brings less within one window is cut off: 1 kB/s, slower than any real link."""
    reader_s: float = 60.0
    """How long a client may leave an answer unread."""
    discard_s: float = 5.0
    """How long the rest of a refused body is read and thrown away. Closing at once would reset
    the connection, and the client would not see why it was refused."""
    connections_per_client: int = 128


class GuardedConnection(H11Protocol):
    """One connection. It is dropped when its client is too slow or has too many of them."""

    def __init__(self, limits: Limits, **of_uvicorn: Any) -> None:
        super().__init__(**of_uvicorn)
        self._limits = limits
        self._opened_at = self.loop.time()
        self._body_bytes = 0
        self._head = _Deadline(self.loop, limits.head_s, self._drop)
        self._body = _Deadline(self.loop, limits.body_window_s, self._check_body)
        self._reader = _Deadline(self.loop, limits.reader_s, self._drop)
        self._discard = _Deadline(self.loop, limits.discard_s, self._drop)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection. If its client has too many, the one idle for longest goes."""
        super().connection_made(transport)
        self._head.start()
        self._keep_cap()

    @property
    def is_idle(self) -> bool:
        """Whether the head of its next request has not come yet."""
        return self.conn.their_state is h11.IDLE

    @property
    def is_in_body(self) -> bool:
        """Whether a request's body is still to come, in part at least."""
        return self.conn.their_state is h11.SEND_BODY

    def data_received(self, data: bytes) -> None:
        """Read on, under the deadline that fits what is still to come."""
        self._body_bytes += len(data)
        super().data_received(data)
        _run_while(self._head, self.is_idle)
        _run_while(self._body, self.is_in_body)
        if not self.is_in_body:
            self._discard.stop()

    def on_response_complete(self) -> None:
        """The answer is out; a body that is still coming has been refused."""
        super().on_response_complete()
        if self.is_in_body:
            self._discard.start()

    def pause_writing(self) -> None:
        """The client has stopped reading."""
        super().pause_writing()
        self._reader.start()

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        self._reader.stop()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        for deadline in (self._head, self._body, self._reader, self._discard):
            deadline.stop()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer to what is no HTTP. No application sees it, so the headers are added here."""
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"connection", b"close"),
            *SECURITY_HEADERS,
        ]
        response = h11.Response(status_code=400, headers=headers, reason=b"Bad Request")
        for event in (response, h11.Data(data=msg.encode("ascii")), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _keep_cap(self) -> None:
        mine = [
            peer
            for peer in cast("set[GuardedConnection]", self.connections)
            if peer.client and self.client and peer.client[0] == self.client[0]
        ]
        if len(mine) > self._limits.connections_per_client:
            idle = [peer for peer in mine if peer.is_idle and peer is not self]
            min(idle, key=lambda peer: peer._opened_at, default=self)._drop()

    def _check_body(self) -> None:
        # While the application is behind, nothing is read, and that is not the client's fault.
        if self._body_bytes < self._limits.body_window_bytes and not self.flow.read_paused:
            self._drop()
        elif self.is_in_body:
            self._body_bytes = 0
            self._body.start()

    def _drop(self) -> None:
        # Without linger the system would go on offering what the client does not read.
        if (connected := self.transport.get_extra_info("socket")) is not None:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.transport.abort()


class _Deadline:
    """Calls `on_expiry` unless it is stopped in time. Starting it again does not extend it."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, seconds: float, on_expiry: Callable[[], None]
    ) -> None:
        self._loop, self._seconds, self._on_expiry = loop, seconds, on_expiry
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        if self._handle is None:
            self._handle = self._loop.call_later(self._seconds, self._expire)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _expire(self) -> None:
        self._handle = None
        self._on_expiry()


def _run_while(deadline: _Deadline, is_due: bool) -> None:
    if is_due:
        deadline.start()
    else:
        deadline.stop()
