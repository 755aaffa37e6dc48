"""Which addresses may be asked: public ones over https, and those the server's owner listed.

A host is resolved once, what it resolves to is checked, and the connection goes to exactly that:
a name that answers differently the second time gains nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import quote, urlsplit

from webui.net.faults import FetchCut, FetchRefused

PORTS: Final = (("https", 443), ("http", 80))
SECRET_NAMES: Final = frozenset(
    {"token", "access_token", "api_key", "apikey", "api-key", "key", "password"}
)
NAT64: Final = IPv6Network("64:ff9b::/96")
"""Its last 32 bits are an IPv4 address that a gateway goes on to (RFC 6052)."""
SPECIAL: Final = IPv4Network("192.0.0.0/24")
"""For protocols between machines; some clouds tell secrets there."""
LONGEST_URL: Final = 8000
URL_SIGNS: Final = "/?&=%:@!$'()*+,;~[]"

Resolve = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a request goes. `addresses` were checked; `path` begins with a slash."""

    scheme: str
    host: str
    port: int
    path: str
    addresses: tuple[str, ...]

    @property
    def origin(self) -> str:
        """Scheme, host and port: what a token is for."""
        return f"{self.scheme}://{self.host}:{self.port}"


def resolve_host(host: str, port: int) -> list[str]:
    """All addresses of a host. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Guard:
    """Turns a URL into a target, or refuses it."""

    def __init__(
        self,
        allowed: Collection[str] = (),
        resolve: Resolve = resolve_host,
        setting: str = "download_hosts",
    ) -> None:
        """`allowed` are "host:port" that may be private and may be asked over plain http; they
        were named by `setting`."""
        self._setting: Final = setting
        self._allowed: Final = frozenset(host.strip().lower() for host in allowed)
        self._resolve: Final = resolve

    def target(self, url: str) -> Target:
        """Where `url` leads. Raises FetchRefused, or FetchCut for a name nobody knows."""
        scheme, host, port, path = split_url(url)
        is_allowed = f"{host}:{port}" in self._allowed
        if scheme != "https" and not is_allowed:
            raise FetchRefused(
                f"“{scheme}://{host}” is not encrypted. Use an address that begins with https://."
            )
        try:
            addresses = tuple(self._resolve(host, port))
        except (OSError, UnicodeError) as error:
            raise FetchCut(
                f"The host “{host}” was not found. Check the address and the network."
            ) from error
        refused = [address for address in addresses if not is_allowed and not is_public(address)]
        if refused or not addresses:
            raise FetchRefused(
                f"“{host}” is on this machine or in a private network "
                f"({', '.join(refused) or 'no address'}). Only public addresses are asked; "
                f"whoever starts the server may list others ({self._setting})."
            )
        return Target(scheme=scheme, host=host, port=port, path=path, addresses=addresses)


def split_url(url: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and path of a URL. Raises FetchRefused."""
    try:
        parts = urlsplit(url)
        scheme, host = parts.scheme.lower(), (parts.hostname or "").encode("idna").decode().lower()
        port = parts.port or dict(PORTS)[scheme]
    except (ValueError, KeyError, UnicodeError) as error:
        raise FetchRefused(_unreadable(url)) from error
    if not host or len(url) > LONGEST_URL or any(sign <= " " or sign == "\x7f" for sign in url):
        raise FetchRefused(_unreadable(url))
    if parts.username is not None or parts.password is not None:
        raise FetchRefused(
            "The address has a name or a password in it. Leave them out; tokens have a place of "
            "their own."
        )
    path = quote(parts.path or "/", safe=URL_SIGNS)
    return scheme, host, port, path + (f"?{quote(parts.query, safe=URL_SIGNS)}" * bool(parts.query))


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL. Raises FetchRefused."""
    scheme, host, port, _ = split_url(url)
    return f"{scheme}://{host}:{port}"


def is_public(address: str) -> bool:
    """Whether an address is one of the open internet, by whatever detour it is written."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        inner = _inside(ip)
        if inner is not None:
            return is_public(str(inner))
    return ip not in SPECIAL and ip.is_global and not ip.is_multicast and not ip.is_reserved


def _inside(ip: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for, None if it stands for itself."""
    if ip in NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    if ip.teredo is not None:
        return IPv4Address("127.0.0.1")  # tunnels lead anywhere; none is needed for a download
    return ip.ipv4_mapped or ip.sixtofour


def _unreadable(url: str) -> str:
    return f"“{url[:100]}” is not a web address. It should look like https://host/path."
