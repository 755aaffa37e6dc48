"""One request over a checked connection: redirects are followed by hand, each checked anew."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Final
from urllib.parse import quote, urljoin

from webui.net.faults import FetchCut, FetchRefused
from webui.net.guard import URL_SIGNS, Guard, Target

REDIRECTS: Final = (301, 302, 303, 307, 308)
MOST_REDIRECTS: Final = 6
CONNECT_S: Final = 10.0
SILENCE_S: Final = 30.0
"""So long the other side may say nothing."""
MOST_TEXT_BYTES: Final = 8 * 2**20
AGENT: Final = "Gesso"

TokenFor = Callable[[str], str]
"""The token for an origin; empty if there is none."""


class Answer:
    """What the last of the redirects answered. Its body is read piece by piece."""

    def __init__(self, response: HTTPResponse, connection: _Pinned, target: Target) -> None:
        self._response: Final = response
        self._connection: Final = connection
        self.status: Final = response.status
        self.host: Final = target.host
        self.path: Final = target.path

    def header(self, name: str) -> str:
        """A header's value; empty if there is none."""
        return self._response.headers.get(name, "") or ""

    def read(self, most: int) -> bytes:
        """The next bytes, as soon as there are some; empty at the end. Raises FetchCut."""
        try:
            return self._response.read1(most)
        except (OSError, HTTPException, ValueError, AttributeError) as error:
            raise _cut(self.host, error) from error

    def text(self) -> bytes:
        """The whole body, of which there is little. Raises FetchCut or FetchRefused."""
        pieces, size = [], 0
        while piece := self.read(2**16):
            pieces.append(piece)
            size += len(piece)
            if size > MOST_TEXT_BYTES:
                raise FetchRefused(f"“{self.host}” answered with far more than was asked for.")
        return b"".join(pieces)

    def close(self) -> None:
        """End the connection."""
        with suppress(OSError):
            self._response.close()
        self._connection.close()

    def abort(self) -> None:
        """Make a `read` that waits in another thread end at once."""
        self._connection.abort()


@dataclass(frozen=True, kw_only=True)
class Fetcher:
    """Asks what the guard lets through; a token goes only to the origin that it is for."""

    guard: Guard
    token_for: TokenFor
    silence_s: float = SILENCE_S

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """The answer to a GET. Raises FetchRefused or FetchCut."""
        for _ in range(MOST_REDIRECTS):
            target = self.guard.target(url)
            answer = self._ask(target, dict(headers or {}))
            if answer.status not in REDIRECTS:
                return answer
            location = answer.header("Location")
            answer.close()
            if not location:
                raise FetchRefused(f"“{target.host}” sends on to nowhere. Try it later.")
            url = urljoin(url, quote(location.encode("latin-1", "replace"), safe=URL_SIGNS + "#"))
        raise FetchRefused(
            f"The address sends on more than {MOST_REDIRECTS} times. Use the address of the file."
        )

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The answer to a POST, which is sent on nowhere. Raises FetchRefused or FetchCut."""
        return self._ask(self.guard.target(url), dict(headers), body)

    def _ask(self, target: Target, headers: dict[str, str], body: bytes | None = None) -> Answer:
        if token := self.token_for(target.origin):
            headers["Authorization"] = f"Bearer {token}"
        connection = _Pinned(target, self.silence_s)
        try:
            headers |= {"User-Agent": AGENT, "Accept-Encoding": "identity"}
            connection.request("GET" if body is None else "POST", target.path, body, headers)
            return Answer(connection.getresponse(), connection, target)
        except (OSError, HTTPException, ValueError) as error:
            connection.close()
            raise _cut(target.host, error) from error


class _Pinned(HTTPConnection):
    """A connection to one of the addresses that were checked, whatever the name means by now."""

    def __init__(self, target: Target, silence_s: float) -> None:
        self.default_port = 443 if target.scheme == "https" else 80
        super().__init__(target.host, target.port, timeout=silence_s)
        self._target: Final = target
        self._silence_s: Final = silence_s
        self._socket: socket.socket | None = None

    def connect(self) -> None:
        """Open the connection. Raises OSError."""
        self._socket = self.sock = self._reach()
        if self._target.scheme == "https":
            context = _trust()
            self.sock = context.wrap_socket(self.sock, server_hostname=self._target.host)
            self._socket = self.sock
        self.sock.settimeout(self._silence_s)

    def abort(self) -> None:
        """End what waits for the other side."""
        if self._socket is not None:
            with suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # SSLSocket's own drops TLS

    def _reach(self) -> socket.socket:
        fault: OSError = OSError("no address")
        for address in self._target.addresses:
            try:
                return socket.create_connection((address, self._target.port), CONNECT_S)
            except OSError as error:
                fault = error
        raise fault


def _trust() -> ssl.SSLContext:
    """The certificates that this machine trusts."""
    return ssl.create_default_context()


def _cut(host: str, error: Exception) -> FetchCut:
    if isinstance(error, ssl.SSLCertVerificationError):
        why = "its certificate can't be trusted"
    elif isinstance(error, TimeoutError):
        why = "it did not answer in time"
    else:
        why = "the connection was cut"
    return FetchCut(f"“{host}” can't be reached: {why}. Check the network and try again.")
