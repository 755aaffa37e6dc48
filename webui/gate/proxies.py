"""What a reverse proxy says of where a request came from, if the proxy is one that is trusted.

Anybody can send these headers, so those of all others are thrown away.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from starlette.types import Scope

from webui.core.errors import InvalidRequest
from webui.gate.addresses import Address

Headers = list[tuple[bytes, bytes]]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_OF_PROXIES: Final = (b"forwarded", b"x-forwarded-", b"x-real-ip", b"x-gradio-server")
_SECURE: Final[Mapping[str, str]] = MappingProxyType(
    {"http": "https", "ws": "wss", "https": "https", "wss": "wss"}
)


class Proxies:
    """The proxies that are believed."""

    def __init__(self, trusted: str = "") -> None:
        """`trusted`: addresses or networks (10.0.0.0/24) with commas between. Raises
        InvalidRequest."""
        names = (name.strip() for name in trusted.split(","))
        self._networks: Final = tuple(_network(name) for name in names if name)

    def trust(self, address: str) -> bool:
        """Whether a connection from this address is that of a trusted proxy."""
        return bool(self._networks) and self._is_trusted(_parsed(address))

    def see_through(self, scope: Scope) -> Scope:
        """A request as its client sent it to the proxy; one that came by itself, less what it
        claims about a proxy."""
        headers: Headers = list(scope["headers"])
        plain = {**scope, "headers": without_proxy_headers(headers)}
        client = scope.get("client")
        if client is None or not self.trust(client[0]):
            return plain
        if (origin := self._client(_listed(headers, b"x-forwarded-for"))) is not None:
            plain["client"] = (str(origin), 0)
        if _listed(headers, b"x-forwarded-proto")[-1:] == ["https"]:
            plain["scheme"] = _SECURE[scope["scheme"]]
        if hosts := _listed(headers, b"x-forwarded-host"):
            kept = [header for header in plain["headers"] if header[0] != b"host"]
            plain["headers"] = [*kept, (b"host", hosts[-1].encode("latin-1"))]
        return plain

    def _client(self, hops: list[str]) -> Address | None:
        """The last hop that is no proxy of ours: what stands before it anybody may have written."""
        found = None
        for hop in reversed(hops):
            if (address := _parsed(hop)) is None:
                break
            found = address
            if not self._is_trusted(address):
                break
        return found

    def _is_trusted(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)


def without_proxy_headers(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Request headers less those that tell where a proxy was reached: Gradio would build its links
    from them."""
    return [header for header in headers if not header[0].startswith(_OF_PROXIES)]


def comes_by_proxy(scope: Scope) -> bool:
    """Whether a request says that a proxy passed it on."""
    return any(name.startswith(_OF_PROXIES) for name, _ in scope["headers"])


def _listed(headers: Headers, name: bytes) -> list[str]:
    """The values of a header that is a list, over all its lines."""
    text = ",".join(value.decode("latin-1") for key, value in headers if key == name)
    return [part.strip() for part in text.split(",") if part.strip()]


def _parsed(text: str) -> Address | None:
    """An address with or without brackets, port or zone."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise InvalidRequest(
            "trusted_proxies",
            f"“{text}” is no address and no network. Write the address of the proxy, such as "
            "192.168.1.2, or its network, such as 172.18.0.0/16; with commas between.",
        ) from error
