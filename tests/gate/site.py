"""A real server on a free port with the real page, and a client that sends any bytes."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import socket
import ssl
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from tests.conftest import until
from webui.gate.access import UPLOAD_BYTES, Access, needs
from webui.gate.connection import Limits
from webui.gate.gate import Gate
from webui.gate.server import Network, build_server
from webui.gate.sockets import open_loopback
from webui.gate.tls import Tls
from webui.studio import Studio
from webui.ui.build import mount_page

needs_more_of_loopback = pytest.mark.skipif(
    sys.platform == "darwin", reason="there 127.0.0.1 is the only address of loopback at first"
)
HEADER_TEXT = "a header of this application's own"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An HTTP response, its header names in lower case."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def one(self, name: str) -> str:
        (value,) = self.all(name)
        return value


@dataclass(frozen=True, kw_only=True)
class Site:
    """A server that runs."""

    port: int
    gate: Gate
    scheme: str = "http"

    @property
    def host(self) -> str:
        return f"localhost:{self.port}"

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host}"

    def connect(self, address: str = "127.0.0.1") -> socket.socket:
        plain = socket.create_connection((address, self.port), timeout=20)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or TLS waits 40 ms
        return _unchecked().wrap_socket(plain) if self.scheme == "https" else plain

    def ask(
        self,
        method: str,
        path: str,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        hosts: Sequence[str] | None = None,
    ) -> Answer:
        """Send exactly these headers, the right Host unless `hosts` says otherwise."""
        lines = [f"{method} {path} HTTP/1.1"]
        lines += [f"Host: {host}" for host in ([self.host] if hosts is None else hosts)]
        lines += [f"{name}: {value}" for name, value in headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        with closing(self.connect()) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
            return read_answer(connection, method)

    def get(self, path: str, *headers: tuple[str, str]) -> Answer:
        return self.ask("GET", path, headers)


def read_answer(connection: socket.socket, method: str = "GET") -> Answer:
    """The next response on a connection."""
    response = http.client.HTTPResponse(connection, method=method)
    response.begin()
    headers = [(name.lower(), value) for name, value in response.getheaders()]
    return Answer(status=response.status, headers=headers, body=response.read())


def _unchecked() -> ssl.SSLContext:
    """TLS without asking who vouches for the certificate: nobody does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@contextmanager
def serving(
    gate: Gate,
    limits: Limits | None = None,
    tls: Tls | None = None,
    network: Network | None = None,
) -> Iterator[Site]:
    """The gate behind a real server, in a thread."""
    sockets = open_loopback(0)
    server = build_server(gate, limits, tls, network)
    thread = threading.Thread(target=server.run, kwargs={"sockets": sockets}, daemon=True)
    thread.start()
    until(lambda: server.started)
    try:
        port = int(sockets[0].getsockname()[1])
        yield Site(port=port, gate=gate, scheme="https" if tls else "http")
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        assert not thread.is_alive()


def plain_app() -> FastAPI:
    """Routes of every kind of ours, without Gradio."""
    app = FastAPI(openapi_url=None)

    @app.get("/api/v1/thing")
    @needs(Access.PERSON)
    def read_thing() -> Response:
        return Response(b"{}", media_type="application/json", headers={"x-own": HEADER_TEXT})

    @app.api_route("/api/v1/thing", methods=["POST", "PUT", "PATCH", "DELETE"])
    @needs(Access.PERSON)
    async def change_thing(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    @app.post("/api/v1/upload")
    @needs(Access.PERSON, max_body_bytes=UPLOAD_BYTES)
    async def upload(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    @app.get("/api/v1/hidden")
    @needs(Access.CLOSED)
    def hidden() -> dict[str, str]:
        return {"secret": "planted"}

    @app.get("/api/v1/broken")
    @needs(Access.PERSON)
    def broken() -> None:
        raise ArithmeticError("as the test wants it")

    @app.get("/api/v1/scope")
    @needs(Access.PERSON)
    def show_scope(request: Request) -> dict[str, object]:
        client = request.client.host if request.client else ""
        return {"headers": dict(request.headers), "url": str(request.url), "client": client}

    @app.get("/api/v1/large")
    @needs(Access.PERSON)
    def large() -> Response:
        return Response(b"x" * (32 << 20), media_type="application/octet-stream")

    @app.get("/api/v1/stream")
    @needs(Access.PERSON, is_stream=True)
    def stream() -> StreamingResponse:
        async def ticks() -> AsyncIterator[bytes]:
            yield b"first\n"
            await asyncio.Event().wait()

        return StreamingResponse(ticks(), media_type="text/event-stream")

    @app.api_route("/a-page", methods=["GET", "POST"])
    @needs(Access.PERSON, is_page=True)
    def page(request: Request) -> Response:
        html = b"<html><script>one()</script><script src='/x.js'></script><p>text</html>"
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(html, media_type="text/html")
        packed = {"Content-Encoding": "gzip"}
        return Response(gzip.compress(html), media_type="text/html", headers=packed)

    return app


def whole_app(studio: Studio) -> FastAPI:
    """The routes above with the real page mounted at the root."""

    async def build() -> FastAPI:
        return mount_page(plain_app(), studio)

    # Outside of a running event loop Gradio makes loops of its own and never closes them.
    return asyncio.run(build())
