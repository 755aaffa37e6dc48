"""Whether an index answers is known within seconds, whatever is wrong."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.launcher.conftest import NOWHERE
from webui.launcher.index import explain, why_unreachable


@contextmanager
def index(status: int) -> Iterator[str]:
    """An index on this machine that answers every question with one status."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/whl/cpu"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_index_that_answers() -> None:
    with index(200) as url:
        assert why_unreachable(url) == ""


def test_index_that_refuses() -> None:
    with index(403) as url:
        assert "403" in why_unreachable(url)


def test_nothing_listens() -> None:
    assert why_unreachable(NOWHERE) == "connection refused"


def test_name_that_does_not_exist() -> None:
    assert why_unreachable("https://nowhere.invalid/whl") != ""


def test_address_that_is_none() -> None:
    assert why_unreachable("not an address") != ""


def test_silence_does_not_hold_the_start_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        reason = why_unreachable(f"http://127.0.0.1:{silent.getsockname()[1]}/whl", patience_s=0.3)
        assert reason.startswith("no answer")
        assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), "its name can't be looked up"),
        (TimeoutError("timed out"), "no answer"),
        (OSError("Tunnel connection failed: 407"), "Tunnel connection failed: 407"),
        # pip may know the certificate of a company's proxy; Python doesn't
        (ssl.SSLCertVerificationError("self-signed certificate in chain"), ""),
    ],
)
def test_network_errors_in_words(error: Exception, words: str) -> None:
    assert explain(error) == words
