"""`launch.py ext dev`: a studio that loads an extension anew whenever one of its files changes."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from webui.core.errors import InvalidRequest
from webui.doctor.examine import ROOT
from webui.extend.manifest import FILE, read_manifest
from webui.settings import SettingsStore, from_flags

log = logging.getLogger(__name__)

LOOK_S: Final = 0.5
WATCHED: Final = frozenset({".py", ".toml", ".js", ".css", ".json", ".txt", ".md"})


def develop(folder: Path, flags: Sequence[str]) -> int:
    """Serve until interrupted; the server's exit code. Raises InvalidRequest for flags."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    store = SettingsStore(from_flags(flags, {}))
    port = store.current.port if "port" in store.fixed else _free_port()
    id = read_manifest(folder).id if (folder / FILE).is_file() else folder.stem
    with _linked(folder, store.current.extensions):
        command = [sys.executable, str(ROOT / "app.py"), *flags, f"--port={port}"]
        server = subprocess.Popen(command, cwd=ROOT)
        try:
            _watch(folder, server, lambda: _load_anew(port, id))
        except KeyboardInterrupt:
            server.terminate()
        return server.wait()


def stamps(folder: Path) -> dict[Path, int]:
    """When each file that matters was last written."""
    files = [folder] if folder.is_file() else folder.rglob("*")
    found = {}
    for file in files:
        if file.suffix in WATCHED:
            with contextlib.suppress(OSError):  # editors replace files
                found[file] = file.stat().st_mtime_ns
    return found


def _watch(folder: Path, server: subprocess.Popen[bytes], changed: Callable[[], None]) -> None:
    known = stamps(folder)
    while server.poll() is None:
        time.sleep(LOOK_S)
        if (now := stamps(folder)) != known:
            known = now
            changed()


def _load_anew(port: int, id: str) -> None:
    """Ask the server; what went wrong is shown where the author looks."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1/extensions/{id}/reload",
        data=b"{}",
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            error = json.load(answer).get("error", "")
    except (OSError, ValueError) as fault:
        error = str(fault)
    log.info("%s: %s", id, error or "loaded anew. Reload the page to see changes of its controls.")


@contextlib.contextmanager
def _linked(folder: Path, extensions: Path) -> Iterator[None]:
    """While it is entered, the folder of extensions leads to this one."""
    place = extensions / folder.name
    if place.exists() and place.resolve() == folder:
        yield
        return
    if place.exists():
        raise InvalidRequest(
            "folder",
            f"There is another extension in {place}. Take it away, or work on it there.",
        )
    extensions.mkdir(parents=True, exist_ok=True)
    place.symlink_to(folder, target_is_directory=folder.is_dir())
    try:
        yield
    finally:
        place.unlink()


def _free_port() -> int:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port: int = place.getsockname()[1]
        return port
