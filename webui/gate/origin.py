"""Where a request comes from: the names this server answers to, and the sites that may ask it.

Two attacks are stopped here. A site that makes its own name point to this machine (DNS
rebinding) is betrayed by the Host header. A site that lets the browser of whoever visits it send
requests to this server (cross-site request forgery, websocket hijacking) is betrayed by Origin
and Sec-Fetch-Site, which no page can change.

Not every client is a browser. A program such as curl sends neither Origin nor Sec-Fetch-Site, and
what it could do needs no forgery: it runs on a machine that reaches the server by itself. So a
request without both is let through. No current browser can be made to send such a request with
an effect: since 2020 all of them send Origin with every method other than GET and HEAD, and
Sec-Fetch-Site with everything to localhost (Chrome 76, Firefox 90, Safari 16.4). Writes to our
own API need the header X-Gesso too when they come from a browser: a page on another site can't
add it without asking first, and the question (a preflight) is refused for its Origin. The APIs
in other programs' dialects (/sdapi, /v1, /mcp) can't ask for that header; there Origin decides
alone, as it does for websockets, whose headers no page can choose.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from webui.gate.access import Rule
from webui.gate.audit import WEBSOCKET
from webui.gate.names import Authority, Names
from webui.gate.refusal import Refusal

Headers = Iterable[tuple[bytes, bytes]]

PORTS: Final[Mapping[str, int]] = MappingProxyType({"http": 80, "https": 443})
"""What an address means that names no port."""
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", WEBSOCKET})
"""Those that need no X-Gesso; for a websocket it is the Origin that counts."""
READING_METHODS: Final = frozenset({"GET", "HEAD"})
API_PREFIX: Final = "/api/"
WRITE_HEADER: Final = b"x-gesso"

_HOST: Final = re.compile(rb"([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?", re.IGNORECASE)


def values(headers: Headers, name: bytes) -> list[bytes]:
    """All values of a header; names are in lower case, as ASGI gives them."""
    return [value for key, value in headers if key == name]


def read_host(headers: Headers, scheme: str, port: int, names: Names) -> Authority | Refusal:
    """How the client calls this server, or why that is not one of its names.

    `port` is the one that the connection arrived at.
    """
    hosts = values(headers, b"host")
    authority = _parse(hosts[0], scheme) if len(hosts) == 1 else None
    if authority is None or not names.include(authority, port):
        return Refusal(
            status=HTTPStatus.MISDIRECTED_REQUEST,
            message="Gesso does not answer to the address that this request was sent to. "
            f"Open {scheme}://localhost:{port} on the machine itself, or the address that it "
            "shows when it starts. Other names are allowed with --allowed-hosts.",
        )
    return authority


def check_origin(
    method: str, path: str, headers: Headers, own: Authority, scheme: str, rule: Rule
) -> Refusal | None:
    """Why a request must not be answered for where it comes from; None when it may be."""
    origins = values(headers, b"origin")
    sites = values(headers, b"sec-fetch-site")
    if origins and not (len(origins) == 1 and _is_own(origins[0], own, scheme)):
        return _foreign()
    if any(site not in (b"same-origin", b"none") for site in sites) and not (
        method in READING_METHODS and rule.is_page and _is_navigation(headers)
    ):
        return _foreign()
    is_api_write = method not in SAFE_METHODS and path.startswith(API_PREFIX)
    if is_api_write and (origins or sites) and values(headers, WRITE_HEADER) != [b"1"]:
        return Refusal(
            status=HTTPStatus.FORBIDDEN,
            message="A page has to send the header “X-Gesso: 1” with requests that change "
            "something. Add it.",
        )
    return None


def _foreign() -> Refusal:
    return Refusal(
        status=HTTPStatus.FORBIDDEN,
        message="This request came from another site, so it was refused. "
        "Open Gesso in a tab of its own.",
    )


def _is_own(origin: bytes, own: Authority, scheme: str) -> bool:
    prefix = scheme.encode() + b"://"
    return origin.startswith(prefix) and _parse(origin[len(prefix) :], scheme) == own


def comes_from_elsewhere(headers: Headers) -> bool:
    """Whether a link on another site led here. Browsers leave our cookie out then."""
    return values(headers, b"sec-fetch-site") in ([b"cross-site"], [b"same-site"])


def _is_navigation(headers: Headers) -> bool:
    """Whether a person followed a link into a tab, rather than a page loading something."""
    return values(headers, b"sec-fetch-mode") == [b"navigate"] and values(
        headers, b"sec-fetch-dest"
    ) == [b"document"]


def _parse(authority: bytes, scheme: str) -> Authority | None:
    match = _HOST.fullmatch(authority)
    if match is None:
        return None
    port = int(match[2]) if match[2] else PORTS[scheme]
    return Authority(name=match[1].decode("ascii").lower(), port=port)
