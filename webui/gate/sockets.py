"""The sockets that a server listens on: those of this machine alone, or those of its network."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections.abc import Iterable, Sequence
from typing import Final

from webui.core.errors import InvalidRequest

BACKLOG: Final = 512
WANTED_FILES: Final = 8192
SPARE_FILES: Final = 256
"""For databases, pictures and the engines' pipes."""

_NO_IPV6: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
_LOOPBACK: Final = ("127.0.0.1", "::1")
_ALL: Final = ("0.0.0.0", "::")


def open_loopback(port: int) -> list[socket.socket]:
    """Sockets bound to this machine's own addresses, 127.0.0.1 and ::1 where there is IPv6.

    Browsers try both for "localhost". Port 0 takes any free one. Raises InvalidRequest when the
    port is taken on either.
    """
    return _open(_LOOPBACK, port)


def open_network(port: int, addresses: Sequence[str] = ()) -> list[socket.socket]:
    """Sockets that others reach, too: on all addresses, or on loopback and those named. Raises
    InvalidRequest when the port is taken or an address is not this machine's."""
    return _open(dict.fromkeys((*_LOOPBACK, *addresses)) if addresses else _ALL, port)


def read_addresses(text: str) -> tuple[str, ...]:
    """The addresses in a list with commas between. Raises InvalidRequest."""
    names = [name.strip().strip("[]") for name in text.split(",") if name.strip()]
    for name in names:
        try:
            ipaddress.ip_address(name)
        except ValueError as error:
            raise InvalidRequest(
                "listen",
                f"“{name}” is no address to listen on. Write one of this machine's, such as "
                "192.168.1.20, or leave it out to listen on all.",
            ) from error
    return tuple(dict.fromkeys(names))


def most_connections() -> int | None:
    """How many connections the system lets this process have, once it was asked for enough; None
    when it sets no limit."""
    try:
        import resource
    except ImportError:  # Windows, which counts in other ways
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    wanted = WANTED_FILES if hard == unlimited else min(WANTED_FILES, hard)
    if soft != unlimited and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (OSError, ValueError):  # macOS may refuse what it says it allows
            pass
    return None if soft == unlimited else max(soft - SPARE_FILES, SPARE_FILES // 2)


def _open(addresses: Iterable[str], port: int) -> list[socket.socket]:
    opened: list[socket.socket] = []
    try:
        for address in addresses:
            try:
                opened.append(_bind(address, port))
            except OSError as error:
                # Machines without IPv6 are many; an address that somebody named has to be there.
                if address not in (*_LOOPBACK[1:], *_ALL[1:]) or error.errno not in _NO_IPV6:
                    raise
            port = opened[0].getsockname()[1]
    except (InvalidRequest, OSError):
        for each in opened:
            each.close()
        raise
    return opened


def _bind(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # asyncio switches Nagle's algorithm off only where the protocol is named, and with it on each
    # small piece of an answer over TLS waits 40 ms.
    opened = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name != "nt":
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:  # there that would let another program share the port, and this forbids it
            opened.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_EXCLUSIVEADDRUSE"), 1)  # noqa: B009
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((address, port))
        opened.listen(BACKLOG)  # a page that is opened before the server is up waits for it
    except OSError as error:
        opened.close()
        raise _explained(error, address, port) from error
    return opened


def _explained(error: OSError, address: str, port: int) -> Exception:
    if error.errno in (errno.EADDRINUSE, errno.EACCES):
        return InvalidRequest(
            "port",
            f"Port {port} can't be used, most likely because another program has it. "
            f"Close that, or choose another port: --port {port + 1}.",
        )
    if error.errno in _NO_IPV6 and address not in (*_LOOPBACK, *_ALL):
        return InvalidRequest(
            "listen",
            f"This machine does not have the address {address} now. Leave --listen out to listen "
            "on all that it has.",
        )
    return error
