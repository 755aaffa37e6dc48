"""Clients that are slow, silent or many do not keep the server from others."""

from __future__ import annotations

import contextlib
import socket
import statistics
import time
from collections.abc import Iterator, Sequence

import pytest
from starlette.types import Scope

from tests.conftest import until
from tests.gate.site import Site, needs_more_of_loopback, plain_app, read_answer, serving
from webui.core.errors import InvalidRequest
from webui.core.job import PersonId
from webui.core.person import Caller, Role, Via
from webui.gate.access import MIB
from webui.gate.connection import Limits
from webui.gate.crowd import Room
from webui.gate.doorkeeper import Doorkeeper
from webui.gate.gate import Surroundings
from webui.gate.server import protect
from webui.gate.sockets import open_loopback
from webui.gate.streams import StreamLimits

STREAMS_PER_CLIENT = StreamLimits().per_person

IMPATIENT = Limits(
    head_s=1.0, body_window_s=1.0, body_window_bytes=1000, reader_s=1.0, discard_s=1.0
)
FEW = Limits(head_s=600, room=Room(per_address=20))


@pytest.fixture
def site() -> Iterator[Site]:
    """A server that loses its patience quickly."""
    with serving(protect(plain_app()), IMPATIENT) as running:
        yield running


@pytest.fixture
def few_site() -> Iterator[Site]:
    """A server that has patience, but for few connections."""
    with serving(protect(plain_app()), FEW) as running:
        yield running


def is_cut(connection: socket.socket) -> bool:
    """Whether the server closes the connection without an answer; waits for it at most 10 s."""
    connection.settimeout(10)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def request(site: Site, *lines: str) -> bytes:
    return "\r\n".join([*lines, f"Host: {site.host}", "", ""]).encode()


@pytest.mark.parametrize("start", [b"", b"G", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "])
def test_a_head_that_does_not_come_is_not_waited_for(site: Site, start: bytes) -> None:
    with site.connect() as connection:
        connection.sendall(start)
        assert is_cut(connection)


def test_a_head_that_drips_is_cut_all_the_same(site: Site) -> None:
    """A byte now and then does not extend the time."""
    with site.connect() as connection:
        connection.settimeout(0.05)
        started = time.monotonic()
        try:
            while time.monotonic() - started < 10:
                connection.sendall(b"G")
                with contextlib.suppress(TimeoutError):
                    if not connection.recv(1):
                        break
        except (ConnectionResetError, BrokenPipeError):
            pass
        assert time.monotonic() - started < 5


def test_the_head_of_a_second_request_has_a_deadline_too(site: Site) -> None:
    with site.connect() as connection:
        connection.sendall(request(site, "GET /api/v1/thing HTTP/1.1"))
        assert read_answer(connection).status == 200
        connection.sendall(b"GET /api")
        assert is_cut(connection)


def test_a_body_that_stops_coming_is_cut(site: Site) -> None:
    with site.connect() as connection:
        connection.sendall(request(site, "POST /api/v1/thing HTTP/1.1", "Content-Length: 1000"))
        connection.sendall(b"half")
        assert is_cut(connection)


def test_a_body_that_comes_steadily_is_taken_however_long_it_takes(site: Site) -> None:
    with site.connect() as connection:
        connection.sendall(request(site, "POST /api/v1/thing HTTP/1.1", "Content-Length: 40000"))
        started = time.monotonic()
        connection.settimeout(0.06)
        for _ in range(39):
            connection.sendall(b"x" * 1000)
            with pytest.raises(TimeoutError):
                connection.recv(1, socket.MSG_PEEK)
        connection.settimeout(10)
        connection.sendall(b"x" * 1000)
        assert read_answer(connection).body == b'{"bytes":40000}'
    assert time.monotonic() - started > 2 * IMPATIENT.body_window_s


def test_the_rest_of_a_refused_body_is_not_read_for_ever(site: Site) -> None:
    with site.connect() as connection:
        head = request(site, "POST /api/v1/thing HTTP/1.1", f"Content-Length: {512 * MIB}")
        connection.sendall(head)
        assert read_answer(connection).status == 413
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            send_slowly(connection, 512 * MIB)


def send_slowly(connection: socket.socket, length: int) -> None:
    """Fast enough not to be taken for a client that has stopped."""
    connection.settimeout(0.01)
    for _ in range(length // 1000):
        connection.sendall(b"x" * 1000)
        with contextlib.suppress(TimeoutError):
            connection.recv(1)


def test_a_client_that_does_not_read_is_cut(site: Site) -> None:
    with site.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(request(site, "GET /api/v1/large HTTP/1.1"))
        received = connection.recv(12)
        assert received == b"HTTP/1.1 200"
        until(lambda: has_error(connection))


def has_error(connection: socket.socket) -> bool:
    """Whether the other side has reset the connection; takes nothing out of its buffer."""
    return connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0


def test_the_connection_that_waited_longest_makes_room(few_site: Site) -> None:
    with contextlib.ExitStack() as stack:
        cap = FEW.room.per_address
        idle = [stack.enter_context(few_site.connect()) for _ in range(cap)]
        assert few_site.get("/api/v1/thing").status == 200
        assert is_cut(idle[0])
        assert_open(idle[2:])


def test_connections_in_use_are_not_dropped_for_new_ones(few_site: Site) -> None:
    with contextlib.ExitStack() as stack:
        cap = FEW.room.per_address
        streams = [stack.enter_context(open_stream(few_site)) for _ in range(cap)]
        assert is_turned_away(few_site)
        streams[0].close()
        until(lambda: answers(few_site))
        assert_open(streams[1:])


def assert_open(connections: Sequence[socket.socket]) -> None:
    """The server has neither sent anything more on these connections nor closed them."""
    for connection in connections:
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.recv(1)


def is_turned_away(site: Site) -> bool:
    try:
        with site.connect() as connection:
            return is_cut(connection)
    except ConnectionResetError:  # before the connection was even reported
        return True


def answers(site: Site) -> bool:
    try:
        return site.get("/api/v1/thing").status == 200
    except OSError:
        return False


def open_stream(site: Site) -> socket.socket:
    """A stream that has sent its first line."""
    connection = site.connect()
    connection.sendall(request(site, "GET /api/v1/stream HTTP/1.1"))
    received = b""
    while b"first\n\r\n" not in received:
        received += connection.recv(4096)
    return connection


def test_one_client_holds_a_limited_number_of_streams(small_site: Site) -> None:
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(open_stream(small_site)) for _ in range(STREAMS_PER_CLIENT)]
        refused = small_site.get("/api/v1/stream")
        assert refused.status == 503
        assert b"Close some" in refused.body
        assert small_site.get("/api/v1/thing").status == 200
        streams[0].close()
        until(lambda: try_stream(small_site, stack))


def try_stream(site: Site, stack: contextlib.ExitStack) -> bool:
    connection = stack.enter_context(site.connect())
    connection.sendall(request(site, "GET /api/v1/stream HTTP/1.1"))
    return connection.recv(12) == b"HTTP/1.1 200"


def test_streams_end_when_the_server_stops() -> None:
    """Their readers see a proper end, and the stop does not wait for them."""
    with serving(protect(plain_app())) as site:
        stream = open_stream(site)
        started = time.monotonic()
    with stream:
        assert stream.recv(100) == b"0\r\n\r\n"
    assert time.monotonic() - started < 5


@pytest.mark.slow
@needs_more_of_loopback
def test_floods_do_not_slow_others_down() -> None:
    """A thousand silent connections, and a thousand streams of a team: p95 stays below twice."""
    with serving(protect(plain_app(), Surroundings(doorkeeper=TeamOf(25)))) as site:
        calm = best_p95(site)
        with contextlib.ExitStack() as stack:
            for _ in range(1000):
                stack.enter_context(open_stream(site))
            assert site.gate.streams.count == 1000
            for n in range(1000):
                silent = socket.create_connection(
                    ("127.0.0.1", site.port), timeout=20, source_address=(f"127.0.0.{2 + n % 9}", 0)
                )
                stack.enter_context(silent)
            flooded = best_p95(site)
    print(f"p95 calm {calm * 1000:.2f} ms, flooded {flooded * 1000:.2f} ms")
    assert flooded < 2 * calm + 0.002


class TeamOf(Doorkeeper):
    """Takes each request for that of the next one of so many people."""

    def __init__(self, people: int) -> None:
        self._people, self._asked = people, 0

    async def recognise(self, scope: Scope) -> Caller:
        self._asked += 1
        name = f"person {self._asked % self._people}"
        return Caller(id=PersonId(name), name=name, role=Role.ARTIST, via=Via.KEY, credential=name)


def best_p95(site: Site) -> float:
    """The best of some rounds: other programs on the machine slow single rounds down."""
    return min(p95(site) for _ in range(5))


def p95(site: Site) -> float:
    """Seconds that 95 of 100 requests stay under, each on a connection of its own."""
    times = []
    for _ in range(200):
        started = time.monotonic()
        assert site.get("/api/v1/thing").status == 200
        times.append(time.monotonic() - started)
    return statistics.quantiles(times, n=20)[-1]


def test_the_server_is_reachable_from_this_machine_only() -> None:
    sockets = open_loopback(0)
    try:
        assert {s.getsockname()[0] for s in sockets} <= {"127.0.0.1", "::1"}
        assert len({s.getsockname()[1] for s in sockets}) == 1
    finally:
        for opened in sockets:
            opened.close()


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_port_that_is_taken_is_named(family: socket.AddressFamily) -> None:
    address = "127.0.0.1" if family == socket.AF_INET else "::1"
    with socket.socket(family) as other:
        other.bind((address, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(InvalidRequest, match=f"Port {port} .* --port {port + 1}") as raised:
            open_loopback(port)
    assert raised.value.field == "port"
    for opened in open_loopback(port):  # nothing was left bound
        opened.close()
