"""Streams: how many anybody may hold, and that they end with the right to them."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from tests.conftest import until
from tests.gate.people import NamedDoorkeeper, as_person
from tests.gate.site import Site, needs_more_of_loopback, plain_app, serving
from webui.gate.gate import Surroundings
from webui.gate.server import protect
from webui.gate.streams import StreamLimits


@pytest.fixture
def keeper() -> NamedDoorkeeper:
    """The doorkeeper of the site."""
    return NamedDoorkeeper()


@contextlib.contextmanager
def limited(keeper: NamedDoorkeeper, limits: StreamLimits) -> Iterator[Site]:
    with serving(protect(plain_app(), Surroundings(doorkeeper=keeper), limits)) as site:
        yield site


@contextlib.contextmanager
def stream(site: Site, person: str) -> Iterator[socket.socket]:
    """A stream that has sent its first line."""
    connection, status = ask_for_stream(site, person)
    with connection:
        assert status == 200
        yield connection


def ask_for_stream(
    site: Site, person: str, address: str = "127.0.0.1"
) -> tuple[socket.socket, int]:
    """A connection on which a stream has sent its first line or was refused, and the status."""
    connection = socket.create_connection(
        ("127.0.0.1", site.port), timeout=20, source_address=(address, 0)
    )
    name, value = as_person("artist", person)
    head = f"GET /api/v1/stream HTTP/1.1\r\nHost: {site.host}\r\n{name}: {value}\r\n\r\n"
    connection.sendall(head.encode())
    received = b""
    while b"first\n\r\n" not in received and b"Close some" not in received:
        received += connection.recv(4096)
    return connection, int(received[9:12])


@contextlib.contextmanager
def two_streams(
    keeper: NamedDoorkeeper, limits: StreamLimits
) -> Iterator[tuple[Site, socket.socket, socket.socket]]:
    """A server, a stream of Ada's and one of Bo's."""
    with limited(keeper, limits) as site, stream(site, "Ada") as one, stream(site, "Bo") as other:
        yield site, one, other


def assert_open(connection: socket.socket) -> None:
    """The server has neither sent anything more nor closed it."""
    connection.setblocking(False)
    with pytest.raises(BlockingIOError):
        connection.recv(1)


class Streams:
    """Opens streams and closes them in the end."""

    def __init__(self, site: Site, stack: contextlib.ExitStack) -> None:
        self._site, self._stack = site, stack

    def status(self, person: str, address: str = "127.0.0.1") -> int:
        opened, status = ask_for_stream(self._site, person, address)
        self._stack.enter_context(opened)
        return status


@needs_more_of_loopback
def test_a_person_holds_a_limited_number_wherever_they_are(keeper: NamedDoorkeeper) -> None:
    with limited(keeper, StreamLimits(per_person=2)) as site, contextlib.ExitStack() as stack:
        streams = Streams(site, stack)
        assert [streams.status("Ada"), streams.status("Ada", "127.0.0.2")] == [200, 200]
        assert streams.status("Ada", "127.0.0.3") == 503
        assert streams.status("Bo") == 200


def test_an_office_behind_one_address_is_let_in(keeper: NamedDoorkeeper) -> None:
    """Fifty people with three pages each: the address alone is no reason to refuse."""
    with limited(keeper, StreamLimits()) as site, contextlib.ExitStack() as stack:
        streams = Streams(site, stack)
        statuses = [streams.status(f"person {n % 50}") for n in range(150)]
        assert statuses == [200] * 150


@needs_more_of_loopback
def test_an_address_and_the_server_have_limits_too(keeper: NamedDoorkeeper) -> None:
    limits = StreamLimits(per_person=9, per_address=2, total=3)
    with limited(keeper, limits) as site, contextlib.ExitStack() as stack:
        streams = Streams(site, stack)
        assert [streams.status("Ada"), streams.status("Bo")] == [200, 200]
        assert streams.status("Cy") == 503
        assert streams.status("Cy", "127.0.0.2") == 200
        assert streams.status("Di", "127.0.0.3") == 503


def test_a_stream_makes_room_when_it_is_closed(keeper: NamedDoorkeeper) -> None:
    with limited(keeper, StreamLimits(per_person=1)) as site, contextlib.ExitStack() as stack:
        with stream(site, "Ada"):
            pass
        streams = Streams(site, stack)
        until(lambda: streams.status("Ada") == 200)


def test_revoking_a_credential_ends_its_streams_and_no_others(keeper: NamedDoorkeeper) -> None:
    with two_streams(keeper, StreamLimits()) as (site, mine, theirs):
        site.gate.end_streams("Ada")  # from another thread than the server's
        assert mine.recv(100) == b"0\r\n\r\n"
        assert_open(theirs)


def test_a_stream_ends_when_its_credential_has_run_out(keeper: NamedDoorkeeper) -> None:
    """Nobody tells of that: it is found out by asking again."""
    with two_streams(keeper, StreamLimits(recheck_s=0.05)) as (_, mine, theirs):
        keeper.revoked.add("Ada")
        assert mine.recv(100) == b"0\r\n\r\n"
        assert_open(theirs)


def test_an_empty_credential_names_nobody(keeper: NamedDoorkeeper) -> None:
    with two_streams(keeper, StreamLimits()) as (site, mine, theirs):
        site.gate.end_streams("")
        site.gate.end_streams("Cy")
        site.gate.end_streams("Bo")
        assert theirs.recv(100) == b"0\r\n\r\n"
        assert_open(mine)
