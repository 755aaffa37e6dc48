"""The server as it is run: sockets on this machine's own addresses, uvicorn behind the gate."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Sequence
from functools import partial
from typing import Final, cast

import uvicorn
from starlette.types import ASGIApp

from webui.core.errors import InvalidRequest
from webui.gate.audit import Table, audit
from webui.gate.connection import GuardedConnection, Limits
from webui.gate.gate import Gate
from webui.gate.gradio_rules import GRADIO_RULES

log = logging.getLogger(__name__)

SHUTDOWN_S: Final = 3
BACKLOG: Final = 512
_NO_IPV6: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def protect(app: ASGIApp) -> Gate:
    """The finished application behind its gate. Raises UndecidedRoute."""
    decisions = audit(app, GRADIO_RULES)
    log.debug("The gate knows %d routes.", len(decisions))
    return Gate(app, Table(decisions))


def run(gate: Gate, sockets: list[socket.socket]) -> None:
    """Serve on sockets of `open_loopback` until told to stop."""
    log.info("Gesso is at %s", page_address(sockets))
    build_server(gate).run(sockets=sockets)


def page_address(sockets: Sequence[socket.socket]) -> str:
    """Where a browser on this machine finds the page."""
    return f"http://localhost:{sockets[0].getsockname()[1]}"


class Server(uvicorn.Server):
    """uvicorn's server, which also ends the open streams when it stops."""

    def __init__(self, config: uvicorn.Config, gate: Gate) -> None:
        super().__init__(config)
        self._gate = gate

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: streams end at once, requests in progress have SHUTDOWN_S."""
        self._gate.streams.close()
        await super().shutdown(sockets)


def build_server(gate: Gate, limits: Limits | None = None) -> Server:
    """A server for the gate; run it with `run(sockets=open_loopback(port))`."""
    connection = partial(GuardedConnection, limits or Limits())
    config = uvicorn.Config(
        gate,
        http=cast("type[asyncio.Protocol]", connection),
        # No route is a websocket. A handshake is answered as the GET that it is.
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    return Server(config, gate)


def open_loopback(port: int) -> list[socket.socket]:
    """Sockets bound to this machine's own addresses, 127.0.0.1 and ::1 where there is IPv6.

    Browsers try both for "localhost". Port 0 takes any free one. Raises InvalidRequest when the
    port is taken on either.
    """
    first = _bind(socket.AF_INET, "127.0.0.1", port)
    port = first.getsockname()[1]
    try:
        return [first, _bind(socket.AF_INET6, "::1", port)]
    except InvalidRequest:
        first.close()
        raise
    except OSError as error:
        if error.errno not in _NO_IPV6:
            first.close()
            raise
        return [first]


def _bind(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name != "nt":  # there it would let two servers share a port
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((address, port))
        opened.listen(BACKLOG)  # a page that is opened before the server is up waits for it
    except OSError as error:
        opened.close()
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise InvalidRequest(
                "port",
                f"Port {port} can't be used, most likely because another program has it. "
                f"Close that, or choose another port: --port {port + 1}.",
            ) from error
        raise
    return opened
