"""The server's side of a worker: one process, asked by one thread at a time."""

from __future__ import annotations

import logging
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final

from webui.core.errors import ExtensionFailed, InvalidRequest
from webui.core.frames import Frame, FrameWriter, read_frames
from webui.extend.data import Context, StopJob
from webui.extend.worker.wire import pack, unpack

log = logging.getLogger(__name__)

ROOT: Final = Path(__file__).resolve().parents[3]
HELLO_S: Final = 60.0
"""So long its code may take to load: packages of its own come from the disk for the first time."""
ANSWER_S: Final = 600.0
KEPT_LINES: Final = 40
PATIENCE_S: Final = 3.0


class WorkerFailed(Exception):
    """A hook in a worker raised; the text is its traceback."""


class Worker:
    """Starts with the first `start`, and again when it is asked after it died."""

    def __init__(self, id: str, command: list[str], answer_s: float = ANSWER_S) -> None:
        self.id: Final = id
        self._command: Final = command
        self._answer_s: Final = answer_s
        self._turn: Final = threading.Lock()
        self._life: _Life | None = None
        self._number = 0

    def start(self) -> Mapping[str, Any]:
        """What it has, see serve.Server.hello. Raises ExtensionFailed."""
        with self._turn:
            return self._living().hello

    def ask(self, hook: str, given: Mapping[str, Any], ctx: Context | None = None) -> Any:
        """What a hook there gives back. Raises StopJob, InvalidRequest, WorkerFailed; and
        ExtensionFailed when the process died or did not answer in time: the next call starts
        another one."""
        with self._turn:
            life = self._living()
            self._number += 1
            asked = {"hook": hook, "given": dict(given), "ctx": _about(ctx)}
            try:
                life.send(pack("call", self._number, asked))
                return life.answer(self._number, self._answer_s, ctx)
            except ExtensionFailed:
                self._end()
                raise

    def close(self) -> None:
        """End the process."""
        with self._turn:
            self._end()

    def _living(self) -> _Life:
        if self._life is None or not self._life.is_running:
            self._end()
            self._life = _Life(self.id, self._command)
        return self._life

    def _end(self) -> None:
        if self._life is not None:
            self._life.end()
        self._life = None


class _Life:
    """One process, from its start to its end."""

    def __init__(self, id: str, command: list[str]) -> None:
        self._id: Final = id
        self._lines: Final[deque[str]] = deque(maxlen=KEPT_LINES)
        self._answers: Final[queue.SimpleQueue[Frame | None]] = queue.SimpleQueue()
        self._process: Final = subprocess.Popen(
            command,
            cwd=ROOT,
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        stdin, stdout, stderr = self._pipes()
        self._writer: Final = FrameWriter(stdin)
        self._threads: Final = tuple(
            threading.Thread(target=run, args=(pipe,), name=f"worker-{id}", daemon=True)
            for run, pipe in ((self._read, stdout), (self._drain, stderr))
        )
        for thread in self._threads:
            thread.start()
        try:
            self.hello: Final[Mapping[str, Any]] = self.answer(0, HELLO_S, None)
        except BaseException:
            self.end()
            raise

    @property
    def is_running(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def send(self, frame: Frame) -> None:
        """Raises ExtensionFailed when nobody listens."""
        try:
            self._writer.send(frame)
        except OSError as error:
            raise self._died() from error

    def answer(self, number: int, seconds: float, ctx: Context | None) -> Any:
        """The value of the answer with this number. Raises as Worker.ask."""
        while True:
            try:
                frame = self._answers.get(timeout=seconds)
            except queue.Empty:
                raise ExtensionFailed(
                    self._id,
                    f"The worker of “{self._id}” did not answer within {seconds:g} seconds and "
                    "was ended. It starts again when it is needed.",
                ) from None
            if frame is None:
                raise self._died()
            if frame.batch != number:
                continue
            if frame.kind == "progress":
                fraction, note = unpack(frame)
                if ctx is not None:
                    ctx.progress(fraction, note)
                continue
            return _value(frame)

    def end(self) -> None:
        """Close its pipe, and end it for certain."""
        stdin, *_ = self._pipes()
        try:
            stdin.close()
            self._process.wait(PATIENCE_S)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        for thread, pipe in zip(self._threads, self._pipes()[1:], strict=True):
            thread.join(PATIENCE_S)
            if not thread.is_alive():  # else something that it started still holds the pipe
                pipe.close()

    def _died(self) -> ExtensionFailed:
        last = "\n".join(self._lines)
        error = ExtensionFailed(
            self._id,
            f"The worker of “{self._id}” ended unexpectedly. It starts again when it is needed.",
        )
        error.add_note(last)
        return error

    def _read(self, pipe: IO[bytes]) -> None:
        for frame in read_frames(pipe):
            self._answers.put(frame)
        self._answers.put(None)

    def _drain(self, pipe: IO[bytes]) -> None:
        for line in pipe:
            text = line.decode(errors="replace").rstrip()
            self._lines.append(text)
            log.info("%s: %s", self._id, text)

    def _pipes(self) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
        stdin, stdout, stderr = filter(
            None, (self._process.stdin, self._process.stdout, self._process.stderr)
        )
        return stdin, stdout, stderr


def command_of(python: Path | None, folder: Path, id: str, entry: str = "") -> list[str]:
    """How the process is started; None for the program's own Python."""
    module = ["-m", "webui.extend.worker.serve"]
    return [str(python or sys.executable), *module, str(folder), id, *([entry] if entry else [])]


def _environment() -> dict[str, str]:
    """Without what would bring packages of others in, and without keys of the server."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("GESSO_")}
    return {**own, "PYTHONPATH": str(ROOT), "PYTHONNOUSERSITE": "1", "HF_HUB_OFFLINE": "1"}


def _about(ctx: Context | None) -> dict[str, Any] | None:
    if ctx is None:
        return None
    return {
        "extension": ctx.extension,
        "settings": dict(ctx.settings),
        "data": ctx.data,
        "job": ctx.job,
        "role": ctx.role.value,
    }


def _value(frame: Frame) -> Any:
    value = unpack(frame)
    if frame.kind != "failed":
        return value
    if value["kind"] == "stop":
        raise StopJob(value["text"])
    if value["kind"] == "invalid":
        raise InvalidRequest(value["field"], value["text"])
    raise WorkerFailed(f"{value['name']}: {value['text']}\n{value['traceback']}")
