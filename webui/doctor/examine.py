"""Examines extensions, each in a process of its own with an end in time and memory.

The process tells step by step what it found, so a hang or a crash still says where it happened.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import psutil

from webui.doctor.verdict import Step, Verdict
from webui.extend.packages import VARIABLE

PATIENCE_S: Final = 120.0
MEMORY_BYTES: Final = 6 * 2**30
ROOT: Final = Path(__file__).resolve().parent.parent.parent
TAIL: Final = 4000
"""Characters of the log that are kept when the process ends without a word."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What an examination may take."""

    seconds: float = PATIENCE_S
    bytes: int = MEMORY_BYTES
    engine: str = "auto"
    """"fake", "real", or "auto": the real one where code of the extension runs in the engine."""
    packages: str = ""
    """The file that names the folder of its packages; empty for those of this studio."""
    is_unwanted: Callable[[], bool] = lambda: False
    """Asked now and then; ends the examination when it is true."""


def examine(folder: Path, limits: Limits | None = None) -> Verdict:
    """The verdict on the extension in a folder, or in a single file."""
    limits = limits or Limits()
    with tempfile.TemporaryDirectory(prefix="gesso-doctor-") as place:
        log = Path(place) / "log.txt"
        with log.open("wb") as file:
            child = _start(folder, Path(place), file, limits)
        lines, end = _listen(child, limits)
        return _verdict(folder, lines, end, log.read_text("utf-8", "replace")[-TAIL:])


def examine_all(folders: Sequence[Path], limits: Limits | None = None) -> Iterator[Verdict]:
    """One after the other: two at once would slow each other into their limits."""
    for folder in folders:
        yield examine(folder, limits)


def _start(folder: Path, place: Path, log: IO[bytes], limits: Limits) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "webui.doctor.child", str(folder.resolve()), str(place)],
        cwd=ROOT,
        env=_environment(place, limits),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        start_new_session=True,
    )


def _environment(place: Path, limits: Limits) -> dict[str, str]:
    """Offline, and without what points libraries to the person's own files."""
    return {
        **os.environ,
        **({VARIABLE: limits.packages} if limits.packages else {}),
        "GESSO_DOCTOR_ENGINE": limits.engine,
        "PYTHONPATH": str(ROOT),
        "HF_HUB_OFFLINE": "1",
        "GRADIO_ANALYTICS_ENABLED": "False",
        "MPLBACKEND": "Agg",
        "TMPDIR": str(place),
    }


def _listen(child: subprocess.Popen[bytes], limits: Limits) -> tuple[list[dict[str, Any]], str]:
    """What the child said, and why it was ended; "" when it ended by itself."""
    watch = _Watch(child, limits)
    said = []
    with child, watch:
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith(b"{"):
                said.append(json.loads(line))
    return said, watch.reason


class _Watch:
    """Ends a process and all that it started when it takes too much."""

    def __init__(self, child: subprocess.Popen[bytes], limits: Limits) -> None:
        self._child: Final = child
        self._limits: Final = limits
        self.reason = ""

    def __enter__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="doctor", daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        _end(self._child.pid)

    def _look(self) -> None:
        process = psutil.Process(self._child.pid)
        left = self._limits.seconds
        while not self._over.wait(TICK_S):
            left -= TICK_S
            if left <= 0:
                self.reason = f"it did not end within {self._limits.seconds:g} seconds"
            elif self._limits.is_unwanted():
                self.reason = "it was cancelled"
            elif _memory(process) > self._limits.bytes:
                self.reason = f"it took more than {self._limits.bytes / 2**30:.1f} GiB of memory"
            if self.reason:
                _end(self._child.pid)
                return


TICK_S: Final = 0.5


def _memory(process: psutil.Process) -> int:
    try:
        family = [process, *process.children(recursive=True)]
        return sum(each.memory_info().rss for each in family)
    except psutil.Error:
        return 0


def _end(pid: int) -> None:
    """The process, and what it started: an engine, a server of the extension's own."""
    try:
        process = psutil.Process(pid)
        family = [*process.children(recursive=True), process]
    except psutil.Error:
        return
    for each in family:
        try:
            each.kill()
        except psutil.Error:
            continue


def _verdict(folder: Path, said: Sequence[dict[str, Any]], end: str, log: str) -> Verdict:
    """`said`: a line when a step begins, one when it ends, one with the names that are missing."""
    about: dict[str, Any] = next((line["about"] for line in said if "about" in line), {})
    done = [Step(**line["step"]) for line in said if "step" in line]
    begun = [line["begin"] for line in said if "begin" in line]
    if len(begun) > len(done):
        error = end or "the process ended without a word"
        done.append(Step(name=begun[-1], error=error, trace=log))
    elif not said:
        done.append(Step(name="read", error=end or "the process could not start", trace=log))
    missing = [name for line in said for name in line.get("missing", ())]
    return Verdict(
        extension=about.get("id", folder.name),
        kind=about.get("kind", "unknown"),
        steps=tuple(done),
        missing=tuple(dict.fromkeys(missing)),
    )
