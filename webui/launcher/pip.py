"""Running pip in `.venv`, with progress that suits the output and failures that are explained.

The person's own pip configuration (mirrors, proxies, certificates, find-links) stays in force.
"""

from __future__ import annotations

import os
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from webui.launcher.errors import SetupError
from webui.launcher.progress import is_interactive, say, spent
from webui.launcher.venv import Venv, clean_environment

HEARTBEAT_S: Final = 15.0
LOG_TAIL_BYTES: Final = 60_000
# Of pip's lines, those worth showing where nobody watches a bar
_SHOWN: Final = re.compile(r"\s*(Downloading \S+|Installing collected packages)")


class PipFailed(SetupError):
    """pip gave up. `is_final` tells that another index would not help."""

    def __init__(self, what: str, way_out: str, *, is_final: bool = False) -> None:
        super().__init__(what, way_out)
        self.is_final = is_final


@dataclass(frozen=True, kw_only=True)
class Pip:
    """pip of an environment. All it says goes to `log`; downloads are unpacked in `temporary`."""

    venv: Venv
    log: Path
    temporary: Path | None = None
    """None for the system's own temporary folder."""

    def install(self, *requirements: str, index: str = "") -> None:
        """Install requirements from an index, by default the person's own. Raises PipFailed.

        Only ready-made builds are taken: compiling needs tools that few people have, and a
        Python that is too new shows by the builds that are missing.
        """
        options = ["--index-url", index] if index else []
        self._run("install", "--no-user", "--only-binary=:all:", *options, *requirements)

    def uninstall(self, *packages: str) -> None:
        """Remove packages. Raises PipFailed."""
        self._run("uninstall", "--yes", *packages)

    def _run(self, action: str, *arguments: str) -> None:
        command = [str(self.venv.python), "-m", "pip", action, "--no-input"]
        command += ["--disable-pip-version-check", "--log", str(self.log), *arguments]
        self.log.unlink(missing_ok=True)
        environment = clean_environment(dict(os.environ))
        if self.temporary:
            self.temporary.mkdir(parents=True, exist_ok=True)
            environment["TMPDIR"] = environment["TEMP"] = str(self.temporary)
        code = run_shown(command, environment)
        if self.temporary:
            shutil.rmtree(self.temporary, ignore_errors=True)
        if code:
            raise explain_failure(tail(self.log), self.log)


def run_shown(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run pip and return its exit code. On a terminal it draws its own bars; elsewhere its main
    lines are passed on, with a sign of life when it is silent for long."""
    # close_fds=False: pip inherits the lock of the folder (see lock.py), and nothing else
    if is_interactive(sys.stdout):
        return subprocess.call(command, env=environment, stdin=subprocess.DEVNULL, close_fds=False)
    process = subprocess.Popen(
        [*command, "--progress-bar=off"] if "install" in command else command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        close_fds=False,
    )
    try:
        _pass_on(process)
    except BaseException:
        process.terminate()
        raise
    finally:
        process.wait()
    return process.returncode


def _pass_on(process: subprocess.Popen[str]) -> None:
    """Print the lines worth showing until the process closes its output."""
    lines: queue.Queue[str | None] = queue.Queue()
    assert process.stdout
    threading.Thread(target=_collect, args=(process.stdout, lines), daemon=True).start()
    started = time.monotonic()
    while True:
        try:
            line = lines.get(timeout=HEARTBEAT_S)
        except queue.Empty:
            say(f"  … still at it after {spent(time.monotonic() - started)}")
            continue
        if line is None:
            return
        if _SHOWN.match(line):
            say(f"  {shorten(line)}")


def _collect(stream: IO[str], lines: queue.Queue[str | None]) -> None:
    with stream:
        for line in stream:
            lines.put(line)
    lines.put(None)


def shorten(line: str) -> str:
    """A line of pip's without the long parts: addresses, and the names of all packages."""
    line = line.strip()
    if line.startswith("Installing collected packages:"):
        names = line.partition(":")[2].split(",")
        return f"Installing {len(names)} packages" if len(names) > 1 else f"Installing{names[0]}"
    return re.sub(r"(?:\S+/)?([^-/\s]+)-([^-\s]+)-\S+\.whl", r"\1 \2", line)


def tail(log: Path) -> str:
    """The end of pip's log, "" when there is none."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LOG_TAIL_BYTES))
        return file.read().decode("utf-8", "replace")


_NETWORK: Final = re.compile(
    r"NewConnectionError|ConnectTimeoutError|ReadTimeoutError|NameResolutionError|Max retries"
    r"|Temporary failure in name resolution|Connection (refused|reset|aborted)|ProxyError"
    r"|IncompleteRead|getaddrinfo failed"
)


def explain_failure(log: str, path: Path) -> PipFailed:
    """Why pip gave up, in words, from the end of its log."""
    if re.search(r"No space left|Errno 28|not enough space on the disk", log):
        return PipFailed(
            "The disk is full.",
            "Free some space, then start again: what is installed already is kept.",
            is_final=True,
        )
    if "CERTIFICATE_VERIFY_FAILED" in log or "SSLCertVerificationError" in log:
        return PipFailed(
            "The package index shows a certificate that this machine doesn't trust.",
            "If your network inspects traffic, ask for its certificate and run: "
            "pip config set global.cert FILE. Then start again.",
        )
    if _NETWORK.search(log):
        return PipFailed(
            "The package index can't be reached.",
            "Connect this machine to the internet (behind a proxy, set HTTPS_PROXY), "
            "then start again: what is installed or downloaded already is kept.",
        )
    if re.search(r"Permission denied|Errno 13|WinError (5|32)", log):
        return PipFailed(
            "A file of .venv is in use or can't be written.",
            "Close every program that uses it (a running Gesso, an editor), then start again.",
            is_final=True,
        )
    if wanted := re.search(r"(?:No matching distribution found for|Cannot install) (\S+)", log):
        return PipFailed(
            f"There is no ready-made build of {wanted[1]} for this Python and system.",
            "Start again with Python 3.12: python3.12 launch.py --reinstall. "
            "If you have settings for pip (pip config list), look whether they leave it out.",
        )
    errors = re.findall(r"ERROR: (.+)", log)
    return PipFailed(
        f"Installing failed: {errors[-1] if errors else 'pip ended without a reason'}",
        f"Start again; if it fails again, report it with the end of {path}.",
    )
