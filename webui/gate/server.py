"""The server as it is run: uvicorn behind the gate, for this machine alone or for its network.

A server for the network that has no owner yet listens to this machine alone. It opens by itself as
soon as there is one.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.config import STARTUP_FAILURE

from webui.core.errors import InvalidRequest
from webui.gate.additions import Additions
from webui.gate.audit import Table, audit
from webui.gate.connection import GuardedConnection, Limits
from webui.gate.conversation import GuardedWebSocket
from webui.gate.crowd import Crowd, Room
from webui.gate.gate import Gate, Surroundings
from webui.gate.gradio_rules import GRADIO_RULES
from webui.gate.sockets import BACKLOG, most_connections, open_loopback, open_network
from webui.gate.streams import StreamLimits, Streams
from webui.gate.tls import Tls

log = logging.getLogger(__name__)

SHUTDOWN_S: Final = 3
_TICKS_A_SECOND: Final = 10
"""uvicorn's."""
_RENEW_EVERY: Final = 60 * _TICKS_A_SECOND


@dataclass(frozen=True, kw_only=True)
class Network:
    """How a server is opened to others."""

    has_owner: Callable[[], bool]
    """Until then nobody else may come."""
    told: Callable[[int], None]
    """Called with the port once it is open; may block."""
    addresses: tuple[str, ...] = ()
    """Those to listen on beside loopback; none are all."""


def protect(
    app: ASGIApp,
    surroundings: Surroundings | None = None,
    limits: StreamLimits | None = None,
    additions: Additions | None = None,
) -> Gate:
    """The finished application behind its gate. `additions` are routes that come and go while it
    runs. Raises UndecidedRoute."""
    decisions = audit(app, GRADIO_RULES)
    log.debug("The gate knows %d routes.", len(decisions))
    return Gate(app, Table(decisions), surroundings, Streams(limits), additions=additions)


def run(
    gate: Gate,
    sockets: list[socket.socket],
    tls: Tls | None = None,
    network: Network | None = None,
) -> None:
    """Serve on sockets of `open_loopback` or `open_network` until told to stop."""
    log.info("Gesso is at %s", page_address(sockets, tls))
    build_server(gate, tls=tls, network=network).run(sockets=sockets)


def page_address(sockets: Sequence[socket.socket], tls: Tls | None = None) -> str:
    """Where a browser on this machine finds the page."""
    return f"{'https' if tls else 'http'}://localhost:{sockets[0].getsockname()[1]}"


class Server(uvicorn.Server):
    """uvicorn's server, which also ends the open streams when it stops, and which can be opened to
    the network while it runs."""

    def __init__(
        self,
        config: uvicorn.Config,
        gate: Gate,
        limits: Limits,
        tls: Tls | None = None,
        network: Network | None = None,
    ) -> None:
        super().__init__(config)
        self._gate = gate
        self._tls = tls
        self._handshake_s = limits.head_s
        self._network = network
        self._is_waiting = network is not None
        if network is not None:
            gate.keep_to_loopback(not network.has_owner())

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve on these sockets."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            sys.exit(STARTUP_FAILURE)
        self.servers: list[asyncio.base_events.Server] = []
        await self._listen(sockets or [])
        self.started = True

    async def on_tick(self, counter: int) -> bool:
        """What is done ten times a second; whether to stop."""
        if self._is_waiting and counter % (_TICKS_A_SECOND // 2) == 0:
            await self._open_if_owned()
        if self._tls is not None and counter % _RENEW_EVERY == _RENEW_EVERY - 1:
            self._tls.renew()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: streams end at once, requests in progress have SHUTDOWN_S."""
        self._gate.close()
        await super().shutdown(sockets)

    async def _listen(self, sockets: Sequence[socket.socket]) -> None:
        loop, tls = asyncio.get_running_loop(), self._tls
        for opened in sockets:
            server = await loop.create_server(
                self._connection,
                sock=opened,
                backlog=BACKLOG,
                ssl=tls.context if tls else None,
                ssl_handshake_timeout=self._handshake_s if tls else None,
            )
            self.servers.append(server)

    def _connection(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )

    async def _open_if_owned(self) -> None:
        """Let others come once there is an owner."""
        network = self._network
        if network is None or not network.has_owner():
            return
        self._is_waiting = False
        is_closed = all(_is_loopback(each) for server in self.servers for each in server.sockets)
        if is_closed and not await self._open(network):
            return
        self._gate.keep_to_loopback(False)
        log.info("Others in the network can reach this studio now, on port %d.", self._port())
        await asyncio.to_thread(network.told, self._port())

    async def _open(self, network: Network) -> bool:
        """Change loopback's sockets for those of the network; open connections stay. Whether that
        worked; if not, loopback's are there as before."""
        port, is_open = self._port(), True
        for server in self.servers:
            server.close()
        self.servers.clear()
        try:
            sockets = open_network(port, network.addresses)
        except (InvalidRequest, OSError) as error:
            log.error("Others can't reach this server. %s Then start it again.", error)
            sockets, is_open = open_loopback(port), False
        await self._listen(sockets)
        return is_open

    def _port(self) -> int:
        return int(self.servers[0].sockets[0].getsockname()[1])


def build_server(
    gate: Gate,
    limits: Limits | None = None,
    tls: Tls | None = None,
    network: Network | None = None,
) -> Server:
    """A server for the gate; run it with `run(sockets=open_loopback(port))`."""
    limits = limits or Limits()
    crowd = Crowd(_affordable(limits.room), is_shared=gate.surroundings.proxies.trust)
    config = uvicorn.Config(
        gate,
        http=cast("type[asyncio.Protocol]", partial(GuardedConnection, limits, crowd)),
        ws=cast("type[asyncio.Protocol]", partial(GuardedWebSocket, limits, crowd)),
        ws_max_size=limits.message_bytes,
        ws_per_message_deflate=False,  # a few bytes would become as many as one likes
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    return Server(config, gate, limits, tls, network)


def _affordable(room: Room) -> Room:
    """As much room as the system has for it."""
    most = most_connections()
    if most is None:
        return room
    return replace(room, per_address=min(room.per_address, most), total=min(room.total, most))


def _is_loopback(opened: socket.socket) -> bool:
    return opened.getsockname()[0] in ("127.0.0.1", "::1")
