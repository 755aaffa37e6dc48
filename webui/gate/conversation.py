"""uvicorn's websocket with the deadlines that it lacks, counted among the connections."""

from __future__ import annotations

from asyncio.transports import BaseTransport
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from webui.gate.connection import Limits, drop
from webui.gate.crowd import Crowd
from webui.gate.deadline import Deadline

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent


class GuardedWebSocket(WebSocketsSansIOProtocol):
    """One websocket. It is dropped when its client does not read, or never ends its handshake."""

    is_idle = False
    """It is in use as long as it is open: pings find out whether anybody is still there."""

    def __init__(self, limits: Limits, crowd: Crowd, **of_uvicorn: Any) -> None:
        super().__init__(**of_uvicorn)
        self._crowd = crowd
        self._handshake = Deadline(self.loop, limits.head_s, self._check_handshake)
        self._reader = Deadline(self.loop, limits.reader_s, self.drop)

    @property
    def address(self) -> str:
        """Where the client is."""
        return self.client[0] if self.client else ""

    def connection_made(self, transport: BaseTransport) -> None:
        """Take over a connection on which a handshake has begun."""
        super().connection_made(transport)
        self._handshake.start()
        self._crowd.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._crowd.leave(self)
        self._handshake.stop()
        self._reader.stop()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client has stopped reading."""
        super().pause_writing()
        self._reader.start()

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        self._reader.stop()

    async def send(self, message: ASGISendEvent) -> None:
        """Pass on what the application says."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            # uvicorn takes a handshake that was refused like this for one that was forgotten, and
            # would write an error into the log for whoever tries.
            self.handshake_complete = True

    def drop(self) -> None:
        """End the connection without another word."""
        drop(self.transport)

    def _check_handshake(self) -> None:
        if not self.handshake_initiated:  # what came was no handshake to the library
            self.drop()
