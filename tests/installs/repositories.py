"""Git repositories on a server of this machine, as real ones are served."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from tests.installs.making import Files, written

SETTINGS = {
    "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
}  # fmt: skip


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder; what it says."""
    done = subprocess.run(
        ["git", "-c", "protocol.file.allow=always", "-c", "protocol.http.allow=always", *arguments],
        cwd=folder, env={**os.environ, **SETTINGS}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A repository that is served; `work` is where it is written."""

    url: str
    work: Path

    def commit(self, files: Files, remove: Sequence[str] = ()) -> str:
        """Commit files; the commit."""
        written(self.work, files)
        for name in remove:
            (self.work / name).unlink()
        git(self.work, "add", "-A")
        git(self.work, "commit", "-q", "-m", "x")
        return git(self.work, "rev-parse", "HEAD")


@dataclass
class Forge:
    """A server with repositories. `zips` are answered with the zip of a commit, as forges do;
    `asked` are the paths that were asked for."""

    port: int
    root: Path
    redirects: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def archives(self) -> tuple[tuple[str, str], ...]:
        """As webui.installs.fetching.FORGES, for this server."""
        base = f"http://{self.host}"
        return ((rf"{base}/git/([^/]+?)", f"{base}/zip/{{0}}/{{1}}"),)

    def repository(self, name: str, files: Files) -> Repository:
        work = self.root / name
        work.mkdir()
        git(work, "init", "-q", "-b", "main", ".")
        git(work, "config", "uploadpack.allowAnySHA1InWant", "true")
        made = Repository(url=f"http://{self.host}/git/{name}", work=work)
        made.commit(files)
        return made


@contextmanager
def serving_git(root: Path) -> Iterator[Forge]:
    """A server on a free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    root.mkdir(parents=True, exist_ok=True)
    forge = server.forge = Forge(server.server_address[1], root)  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield forge
    server.shutdown()
    thread.join()
    server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers["Content-Length"])))

    def _serve(self, body: bytes) -> None:
        forge: Forge = self.server.forge  # type: ignore[attr-defined]
        forge.asked.append(self.path)
        parts = urlsplit(self.path)
        if self.path in forge.redirects:
            self.send_response(302)
            self.send_header("Location", forge.redirects[self.path])
            self.end_headers()
        elif parts.path.startswith("/zip/"):
            _, _, name, commit = parts.path.split("/")
            command = ["git", "archive", "--format=zip", f"--prefix={name}-{commit}/", commit]
            self._say(subprocess.run(command, cwd=forge.root / name, capture_output=True).stdout)
        elif parts.path.startswith("/git/"):
            self._backend(forge, parts.path.removeprefix("/git"), parts.query, body)
        else:
            self.send_error(404)

    def _backend(self, forge: Forge, path: str, query: str, body: bytes) -> None:
        environment = {
            **os.environ, **SETTINGS, "GIT_PROJECT_ROOT": str(forge.root),
            "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
            "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }  # fmt: skip
        done = subprocess.run(
            ["git", "http-backend"], input=body, env=environment, capture_output=True, check=False
        )
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        pairs = dict(row.split(": ", 1) for row in head.decode().splitlines() if ": " in row)
        status = int(pairs.pop("Status", "200").split()[0])
        self._say(answer, status, pairs.get("Content-Type", "text/plain"))

    def _say(self, body: bytes, status: int = 200, kind: str = "application/zip") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
