"""The names this server answers to. No name is guessed, and there is no wildcard: a name that
somebody else makes point here (DNS rebinding) must not be answered to."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from webui.core.errors import InvalidRequest

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
READ_AGAIN_S: Final = 30.0
"""A laptop changes its network, and its addresses with it."""
LOOK_UP_S: Final = 2.0
"""An unknown name may be new; but asking for unknown names must not keep the server busy."""

_NAME: Final = re.compile(r"([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?")


@dataclass(frozen=True, kw_only=True)
class Authority:
    """The name and port that a client used to reach this server."""

    name: str
    port: int


class Names:
    """Loopback's names, this machine's own ones, and those that were allowed besides."""

    def __init__(
        self,
        own: Callable[[], Collection[str]] = tuple,
        allowed: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`own` reads the machine's addresses and names, as they are now; `allowed` are from
        `read_allowed`."""
        self._read_own: Final = own
        self._allowed: Final = frozenset(allowed)
        self._clock: Final = clock
        self._own: frozenset[str] = frozenset()
        self._read_at = float("-inf")

    def include(self, authority: Authority, port: int) -> bool:
        """Whether the server answers to a name, at the port where the request arrived. A name
        that was allowed without a port may have any: the one outside of a container, or the one
        of a proxy."""
        name = authority.name
        if name in self._allowed or f"{name}:{authority.port}" in self._allowed:
            return True
        return authority.port == port and (name in LOOPBACK_NAMES or self._is_own(name))

    def own(self) -> frozenset[str]:
        """The machine's own names and addresses, at most half a minute old."""
        self._read_if_older_than(READ_AGAIN_S)
        return self._own

    def without_ports(self) -> frozenset[str]:
        """All names, for a certificate."""
        return LOOPBACK_NAMES | self.own() | {_without_port(name) for name in self._allowed}

    def _is_own(self, name: str) -> bool:
        self._read_if_older_than(READ_AGAIN_S)
        if name not in self._own:
            self._read_if_older_than(LOOK_UP_S)
        return name in self._own

    def _read_if_older_than(self, seconds: float) -> None:
        if self._clock() - self._read_at >= seconds:
            self._read_at = self._clock()
            self._own = frozenset(self._read_own())


def read_allowed(text: str) -> frozenset[str]:
    """The names in a list with commas between: name, name:port, or [address]. Raises
    InvalidRequest."""
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    for name in names:
        if _NAME.fullmatch(name) is None:
            raise InvalidRequest(
                "allowed_hosts",
                f"“{name}” can't be a name of this server. Write names as they stand in the "
                "address, without http:// and without *, with commas between: "
                "gesso.example.org, studio.lan:8080.",
            )
    return frozenset(names)


def _without_port(name: str) -> str:
    match = _NAME.fullmatch(name)
    return match[1] if match else name
