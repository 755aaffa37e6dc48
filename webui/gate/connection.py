"""uvicorn's HTTP/1.1 connection with the deadlines and the cap that it lacks.

uvicorn waits for ever for the head of a request, for its body and for a reader that has stopped,
and takes any number of connections. Here each of these ends by itself.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from dataclasses import dataclass, field
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from webui.gate.crowd import Crowd, Room
from webui.gate.deadline import Deadline
from webui.gate.headers import SECURITY_HEADERS

_NO_LINGER: Final = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
"""On, for no seconds: closing resets the connection and drops what is unsent."""
_BODY_HEADERS: Final = (b"content-length", b"transfer-encoding")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How patient the server is with one connection, and how many it has room for."""

    head_s: float = 10.0
    """From the connection, or the first byte of a later request, to the end of the head. TLS and
    websockets have as long for their handshakes."""
    body_window_s: float = 20.0
    body_window_bytes: int = 20_000
    """A body that brings less within one window is cut off: 1 kB/s, slower than any real link."""
    reader_s: float = 60.0
    """How long a client may leave an answer unread."""
    discard_s: float = 5.0
    """How long the rest of a refused body is read and thrown away. Closing at once would reset
    the connection, and the client would not see why it was refused."""
    message_bytes: int = 1 << 16
    """The largest message that a websocket takes: they say what somebody wants, pictures are
    uploaded."""
    room: Room = field(default_factory=Room)


class GuardedConnection(H11Protocol):
    """One connection. It is dropped when its client is too slow or has too many of them."""

    def __init__(self, limits: Limits, crowd: Crowd, **of_uvicorn: Any) -> None:
        super().__init__(**of_uvicorn)
        self._crowd = crowd
        self._body_window_bytes = limits.body_window_bytes
        self._body_bytes = 0
        self._is_handed_over = False
        self._head = Deadline(self.loop, limits.head_s, self.drop)
        self._body = Deadline(self.loop, limits.body_window_s, self._check_body)
        self._reader = Deadline(self.loop, limits.reader_s, self.drop)
        self._discard = Deadline(self.loop, limits.discard_s, self.drop)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection. If its client has too many, the one idle for longest goes."""
        super().connection_made(transport)
        self._head.start()
        self._crowd.enter(self)

    @property
    def address(self) -> str:
        """Where the client is."""
        return self.client[0] if self.client else ""

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
        if self._is_handed_over:
            return
        self._head.run_while(self.is_idle)
        self._body.run_while(self.is_in_body)
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
        self._let_go()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """The connection goes on as a websocket, with deadlines of its own."""
        self._is_handed_over = True
        self._let_go()
        super().handle_websocket_upgrade(event)

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

    def drop(self) -> None:
        """End the connection without another word."""
        drop(self.transport)

    def _should_upgrade(self) -> bool:
        # A handshake is a GET without a body; the library behind would hang on any other.
        has_body = any(name in _BODY_HEADERS for name, _ in self.headers)
        is_handshake = self.scope["method"] == "GET" and not has_body
        return is_handshake and self._get_upgrade() == b"websocket"

    def _let_go(self) -> None:
        self._crowd.leave(self)
        for deadline in (self._head, self._body, self._reader, self._discard):
            deadline.stop()

    def _check_body(self) -> None:
        # While the application is behind, nothing is read, and that is not the client's fault.
        if self._body_bytes < self._body_window_bytes and not self.flow.read_paused:
            self.drop()
        elif self.is_in_body:
            self._body_bytes = 0
            self._body.start()


def drop(transport: asyncio.Transport) -> None:
    """End a connection at once. Without linger the system would go on offering what its client
    does not read."""
    if (connected := transport.get_extra_info("socket")) is not None:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
