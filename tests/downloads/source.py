"""A server that models are downloaded from, as kind or as rude as a test wants it."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.catalog.test_cards import network

PACE_S = 0.02


@dataclass
class Served:
    """What lies at a path. `cuts` are the lengths after which the next answers break off, `gate`
    holds an answer up after its first `held_at` bytes until it is set."""

    body: bytes = b""
    status: int = 200
    etag: str = '"one"'
    headers: Mapping[str, str] = field(default_factory=dict)
    has_ranges: bool = True
    has_length: bool = True
    cuts: list[int] = field(default_factory=list)
    gate: threading.Event | None = None
    held_at: int = 0
    paced_bytes: int = 0
    """So many at a time, with a wait between."""
    token: str = ""
    """Without it the answer is 401."""


@dataclass
class Source:
    """The server's files, and the headers of all requests that came."""

    port: int
    files: dict[str, Served] = field(default_factory=dict)
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def hosts(self) -> tuple[str, str]:
        return self.host, f"localhost:{self.port}"

    @property
    def service(self) -> str:
        """Its address under another name, in the place of Hugging Face or Civitai."""
        return f"http://localhost:{self.port}"

    def url(self, path: str) -> str:
        return f"http://{self.host}{path}"

    def put(self, path: str, body: bytes, **more: Any) -> str:
        """Serve bytes; their address."""
        self.files[path] = Served(body, **more)
        return self.url(path)

    def put_json(self, path: str, data: object) -> None:
        self.put(path, json.dumps(data).encode())

    def redirect(self, path: str, to: str) -> str:
        self.files[path] = Served(status=302, headers={"Location": to})
        return self.url(path)

    def headers_for(self, path: str) -> list[Mapping[str, str]]:
        return [headers for asked, headers in self.asked if asked == path]


@contextmanager
def serving_files(port: int = 0) -> Iterator[Source]:
    """A server on this port, or a free one."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
    server.daemon_threads = True
    source = server.source = Source(server.server_address[1])  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield source
    for served in source.files.values():
        if served.gate is not None:
            served.gate.set()
    server.shutdown()
    thread.join()
    server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        source: Source = self.server.source  # type: ignore[attr-defined]
        source.asked.append((self.path, dict(self.headers)))
        served = source.files.get(self.path)
        if served is None:
            return self._answer(Served(b"nothing", 404), b"nothing", {})
        if served.token and self.headers.get("Authorization") != f"Bearer {served.token}":
            return self._answer(Served(b"who are you", 401), b"who are you", {})
        start, stop = self._range(served)
        body, told = served.body, {}
        if (start, stop) != (0, len(body)):
            served = Served(**{**served.__dict__, "status": 206})
            told["Content-Range"] = f"bytes {start}-{stop - 1}/{len(body)}"
            if start >= len(body):
                return self._answer(Served(status=416), b"", {})
        return self._answer(served, body[start:stop], told)

    def _range(self, served: Served) -> tuple[int, int]:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        is_same = self.headers.get("If-Range") in (None, served.etag)
        whole = len(served.body)
        if asked is None or not served.has_ranges or not is_same or served.status != 200:
            return 0, whole
        return int(asked[1]), min(whole, int(asked[2]) + 1) if asked[2] else whole

    def _answer(self, served: Served, body: bytes, told: Mapping[str, str]) -> None:
        self.send_response(served.status)
        headers = {"ETag": served.etag, **told, **served.headers}
        if served.has_length:
            headers["Content-Length"] = str(len(body))
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        is_probe = bool(re.search(r"bytes=0-\d", self.headers.get("Range") or ""))
        cut = served.cuts.pop(0) if served.cuts and not is_probe else len(body)
        try:
            if served.gate is not None and not is_probe:
                self.wfile.write(body[: served.held_at])
                served.gate.wait(30)
                body, cut = body[served.held_at :], cut - served.held_at
            step = served.paced_bytes if served.paced_bytes and not is_probe else max(1, cut)
            for start in range(0, max(0, cut), step):
                self.wfile.write(body[start : min(cut, start + step)])
                if step < cut:
                    time.sleep(PACE_S)
        except OSError:
            pass
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def lora(folder: Path, note: str = "", family: str = "sd15") -> bytes:
    """The bytes of a small LoRA."""
    path = network(folder / "made.safetensors", family, note=note)
    data = path.read_bytes()
    path.unlink()
    return data


def sha256(data: bytes) -> str:
    """The hash of some bytes."""
    return hashlib.sha256(data).hexdigest()
