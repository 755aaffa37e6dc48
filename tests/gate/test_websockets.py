"""Websockets: who may open one, how large a message is, and how they end."""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Iterator, Sequence

import pytest
from fastapi import FastAPI, WebSocket
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.conftest import until
from tests.gate.people import NamedDoorkeeper, as_person
from tests.gate.site import Site, plain_app, read_answer, serving
from webui.gate.access import Access, needs
from webui.gate.connection import Limits
from webui.gate.crowd import Room
from webui.gate.gate import Surroundings
from webui.gate.server import protect
from webui.gate.streams import StreamLimits

IMPATIENT = Limits(head_s=0.3, reader_s=0.5, message_bytes=1000, room=Room(per_address=6))
HANDSHAKE = (
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
)


def app() -> FastAPI:
    """An echo for artists, and one who never stops talking."""
    made = plain_app()

    @made.websocket("/api/v1/echo")
    @needs(Access.ARTIST, is_stream=True)
    async def echo(client: WebSocket) -> None:
        await client.accept()
        async for text in client.iter_text():
            await client.send_text(text)

    @made.websocket("/api/v1/talk")
    @needs(Access.ARTIST, is_stream=True)
    async def talk(client: WebSocket) -> None:
        await client.accept()
        while True:
            await client.send_text("x" * 100_000)

    return made


@pytest.fixture
def site() -> Iterator[Site]:
    """The routes above on a server that loses its patience quickly."""
    surroundings = Surroundings(doorkeeper=NamedDoorkeeper())
    limits = StreamLimits(per_person=3)
    with serving(protect(app(), surroundings, limits), IMPATIENT) as running:
        yield running


def opened(
    site: Site, path: str = "/api/v1/echo", headers: Sequence[tuple[str, str]] = ()
) -> ClientConnection:
    """A websocket of an artist's."""
    mine = headers or (as_person("artist"),)
    return connect(f"ws://{site.host}{path}", additional_headers=mine, compression=None)


def refused(site: Site, headers: Sequence[tuple[str, str]], path: str = "/api/v1/echo") -> int:
    """The status that a handshake is refused with."""
    with pytest.raises(InvalidStatus) as raised:
        opened(site, path, headers)
    return raised.value.response.status_code


def test_an_artist_talks_with_the_server(site: Site) -> None:
    with opened(site) as client:
        client.send("hello")
        assert client.recv(timeout=10) == "hello"


def test_a_page_of_ours_needs_no_header_that_browsers_can_not_send(site: Site) -> None:
    page = (as_person("artist"), ("Origin", site.origin), ("Sec-Fetch-Site", "same-origin"))
    with opened(site, headers=page) as client:
        client.send("hello")
        assert client.recv(timeout=10) == "hello"


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:3000", "https://localhost:{port}"]
)
def test_pages_of_others_are_refused(site: Site, origin: str) -> None:
    claimed = (as_person("owner"), ("Origin", origin.format(port=site.port)))
    assert refused(site, claimed) == 403


def test_who_may_not_is_told_why(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    assert refused(site, (("X-Nobody", "1"),)) == 401
    assert refused(site, (as_person("viewer"),)) == 403
    assert refused(site, (as_person("owner"),), "/api/v1/thing") == 404
    answer = site.get("/api/v1/echo", *HANDSHAKE)
    assert (answer.status, answer.one("content-type")) == (401, "application/json")
    assert caplog.records == []  # or anybody could fill the log


def test_the_host_counts_for_websockets_too(site: Site) -> None:
    headers = (*HANDSHAKE, as_person("artist"))
    assert site.ask("GET", "/api/v1/echo", headers, hosts=["evil.example"]).status == 421


def test_a_message_that_is_too_large_ends_the_websocket(site: Site) -> None:
    with opened(site) as client:
        client.send("x" * (IMPATIENT.message_bytes + 1))
        with pytest.raises(ConnectionClosed):
            client.recv(timeout=10)
    assert client.close_code == 1009


def test_a_message_in_pieces_is_as_large_as_all_of_them(site: Site) -> None:
    piece = b"x" * (IMPATIENT.message_bytes * 2 // 3)
    with opened(site) as client:
        with client.send_context():  # only the last piece is too much: none follows the refusal
            client.protocol.send_text(piece, fin=False)
            client.protocol.send_continuation(piece, fin=True)
        with pytest.raises(ConnectionClosed):
            client.recv(timeout=10)
    assert client.close_code == 1009


def test_nothing_is_compressed(site: Site) -> None:
    """A few bytes could become a gigabyte."""
    with connect(
        f"ws://{site.host}/api/v1/echo", additional_headers=[as_person("artist")]
    ) as client:
        assert client.protocol.extensions == []


def test_websockets_count_among_the_streams_of_a_person(site: Site) -> None:
    with contextlib.ExitStack() as stack:
        first, *_ = [stack.enter_context(opened(site)) for _ in range(3)]
        assert refused(site, (as_person("artist"),)) == 503
        first.close()
        until(lambda: site.gate.streams.count == 2)
        stack.enter_context(opened(site)).send("there is room again")


def test_revoking_a_credential_closes_its_websockets(site: Site) -> None:
    with opened(site) as mine, opened(site, headers=(as_person("artist", "Bo"),)) as theirs:
        site.gate.end_streams("Ada")
        with pytest.raises(ConnectionClosed):
            mine.recv(timeout=10)
        assert mine.close_code == 1008
        theirs.send("hello")
        assert theirs.recv(timeout=10) == "hello"


def test_websockets_are_closed_when_the_server_stops() -> None:
    surroundings = Surroundings(doorkeeper=NamedDoorkeeper())
    with contextlib.ExitStack() as stack:
        with serving(protect(app(), surroundings)) as running:
            client = stack.enter_context(opened(running))
        with pytest.raises(ConnectionClosed):
            client.recv(timeout=10)
    assert client.close_code == 1012


def test_a_client_that_does_not_read_is_cut(site: Site) -> None:
    with site.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        send_handshake(connection, site, "/api/v1/talk")
        assert connection.recv(12) == b"HTTP/1.1 101"
        until(lambda: connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0)


def send_handshake(connection: socket.socket, site: Site, path: str) -> None:
    headers = (("Host", site.host), *HANDSHAKE, as_person("artist"))
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    connection.sendall("\r\n".join([*lines, "", ""]).encode())


@pytest.mark.parametrize("drip", [b"GET /api/v1/echo HTTP/1.1\r\nUpgrade: websocket\r\n"])
def test_a_handshake_that_does_not_come_is_not_waited_for(site: Site, drip: bytes) -> None:
    with site.connect() as connection:
        connection.sendall(drip)
        connection.settimeout(10)
        assert is_cut(connection)


def is_cut(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("method", ["POST", "PUT", "HEAD"])
def test_a_handshake_is_a_get_without_a_body(site: Site, method: str) -> None:
    """The library for websockets would leave any other without an answer."""
    answer = site.ask(method, "/api/v1/echo", (*HANDSHAKE, as_person("artist")))
    assert answer.status == 404
    assert site.ask("GET", "/api/v1/echo", HANDSHAKE, body=b"x" * 10).status == 404


@pytest.mark.parametrize("wrong", [("Sec-WebSocket-Version", "7"), ("Sec-WebSocket-Key", "short")])
def test_a_wrong_handshake_is_answered(site: Site, wrong: tuple[str, str]) -> None:
    headers = [h for h in HANDSHAKE if h[0] != wrong[0]]
    assert site.get("/api/v1/echo", *headers, wrong, as_person("artist")).status in (400, 426)


def test_a_header_too_long_for_the_library_is_not_waited_on(site: Site) -> None:
    with site.connect() as connection:
        lines = ["GET /api/v1/echo HTTP/1.1", f"Host: {site.host}"]
        lines += [f"{name}: {value}" for name, value in HANDSHAKE]
        connection.sendall("\r\n".join([*lines, f"X-Long: {'x' * 9000}", "", ""]).encode())
        connection.settimeout(10)
        assert is_cut(connection) or connection.recv(12) != b"HTTP/1.1 101"


def test_websockets_count_among_the_connections_of_an_address(site: Site) -> None:
    """They are in use, so it is new connections that find no room."""
    with contextlib.ExitStack() as stack:
        for name in "abcdef":
            stack.enter_context(opened(site, headers=(as_person("artist", name),)))
        assert not can_ask(site)
    until(lambda: can_ask(site))


def can_ask(site: Site) -> bool:
    try:
        with site.connect() as connection:
            head = f"GET /api/v1/thing HTTP/1.1\r\nHost: {site.host}\r\n\r\n"
            connection.sendall(head.encode())
            return read_answer(connection).status == 401
    except (OSError, http.client.HTTPException):
        return False
