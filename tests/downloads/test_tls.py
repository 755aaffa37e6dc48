"""Encrypted sources: only certificates that are trusted, and only for the name that was asked."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from webui.net.faults import FetchCut
from webui.net.fetch import Fetcher
from webui.net.guard import Guard

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="makes no certificate")

HOST = "models.example"


class Greeter(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not trust us hangs up."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of a host, signed by nobody."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    more = ["-nodes", "-keyout", str(path), "-out", f"{path}.crt", "-days", "2", "-subj", "/CN=x"]
    names = ["-addext", f"subjectAltName=DNS:{HOST}"]
    subprocess.run([*command, *more, *names], check=True, capture_output=True)
    return path


@pytest.fixture
def port(certificate: Path) -> Iterator[int]:
    server = Quiet(("127.0.0.1", 0), Greeter)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{certificate}.crt", certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def ask(host: str, port: int) -> bytes:
    guard = Guard([f"{host}:{port}"], lambda *_: ["127.0.0.1"])
    answer = Fetcher(guard=guard, token_for=lambda _: "").get(f"https://{host}:{port}/")
    try:
        return answer.text()
    finally:
        answer.close()


def test_a_certificate_of_nobody_is_not_trusted(port: int) -> None:
    with pytest.raises(FetchCut, match="certificate can't be trusted"):
        ask(HOST, port)


def test_a_trusted_certificate_counts_for_its_own_name_only(
    port: int, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
    assert ask(HOST, port) == b"hello"
    with pytest.raises(FetchCut, match="certificate can't be trusted"):
        ask("other.example", port)
