"""One life of an engine process: spawned, spoken to over pipes, ended for certain."""

from __future__ import annotations

import contextlib
import json
import logging
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import IO, Final

from webui.core.errors import EngineError
from webui.core.frames import Frame, FrameWriter, read_frames

log = logging.getLogger(__name__)

BOOTSTRAP: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from webui.engine.worker import main; main()"
)
KEPT_LINES: Final = 40
PATIENCE_S: Final = 3.0


class Child:
    """A running engine process. `on_frame` is called from its reader thread.

    A plain subprocess rather than multiprocessing's spawn: that would import the server's main
    module, page and all, into the engine, and start a second helper process.
    """

    def __init__(
        self, name: str, on_frame: Callable[[Frame], None], on_gone: Callable[[], None]
    ) -> None:
        """`on_gone` is called once, milliseconds after the process ended."""
        self._on_frame: Final = on_frame
        self._on_gone: Final = on_gone
        self._last_lines: Final[deque[str]] = deque(maxlen=KEPT_LINES)
        self.heard = 0
        """How many frames came; it stands still when the process does."""
        self.verdict: EngineError | None = None
        """Why it was killed by us, if it was."""
        self._gone: Final = threading.Event()
        self._process: Final = subprocess.Popen(
            [sys.executable, "-P", "-c", BOOTSTRAP, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self.pid: Final = self._process.pid
        stdin, stdout, stderr = self._pipes()
        self._writer: Final = FrameWriter(stdin)
        self._threads: Final = (
            threading.Thread(target=self._read, args=(stdout,), name=f"{name}-read", daemon=True),
            threading.Thread(target=self._drain, args=(stderr,), name=f"{name}-err", daemon=True),
        )
        for thread in self._threads:
            thread.start()

    def send(self, frame: Frame) -> None:
        """Send a frame; one that no longer arrives is no matter, `on_gone` tells of the end."""
        with contextlib.suppress(OSError, ValueError):  # broken, or closed by `bury`
            self._writer.send(frame)

    def is_running(self) -> bool:
        """Whether the process lives, can be heard and is meant to go on."""
        return self.verdict is None and not self._gone.is_set() and self._process.poll() is None

    def kill(self, verdict: EngineError) -> None:
        """End it at once, whatever it does."""
        self.verdict = verdict
        self._process.kill()

    def ask_to_end(self) -> None:
        """Let it finish what it does and end by itself; `bury` sees to it that it does."""
        self.send(Frame(kind="close"))

    def bury(self) -> str:
        """Free all it held, once it has ended or after a short wait; how it ended, in a word."""
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for thread in self._threads:
            thread.join(PATIENCE_S)
        self._close_pipes()
        return _describe(self._process.returncode)

    def last_words(self) -> str:
        """What it wrote last to its standard error."""
        return "\n".join(self._last_lines)

    def _read(self, pipe: IO[bytes]) -> None:
        try:
            for frame in read_frames(pipe):
                self.heard += 1
                self._on_frame(frame)
        finally:
            self._gone.set()
            self._on_gone()

    def _drain(self, pipe: IO[bytes]) -> None:
        for line in pipe:
            text = line.decode(errors="replace").rstrip()
            self._last_lines.append(text)
            log.debug("engine process %s: %s", self.pid, text)

    def _pipes(self) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
        stdin, stdout, stderr = filter(
            None, (self._process.stdin, self._process.stdout, self._process.stderr)
        )
        return stdin, stdout, stderr

    def _close_pipes(self) -> None:
        """Those that a helper process of the engine still holds open are left to their threads."""
        for pipe in self._pipes()[: 1 if any(t.is_alive() for t in self._threads) else None]:
            with contextlib.suppress(OSError):
                pipe.close()


def _describe(exit_code: int) -> str:
    if exit_code >= 0:
        return f"exit code {exit_code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-exit_code).name
    return f"signal {-exit_code}"
