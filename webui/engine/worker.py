"""The engine process: hosts any in-process engine behind a pipe, and ends with its parent.

Three threads: this one makes pictures, one listens (a cancel must be heard in the middle of a
batch), one beats. Standard output belongs to the pipe; what libraries print goes to the log.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import importlib
import logging
import os
import queue
import signal
import sys
import threading
from typing import IO, Final

from webui.core.codec import from_json
from webui.core.engine import Work
from webui.core.errors import EngineDied
from webui.core.events import Ask
from webui.core.frames import Frame, FrameWriter, read_frames
from webui.core.model import ModelInfo
from webui.engine.asking import Answer, resumed
from webui.engine.inprocess import InProcessEngine
from webui.engine.wire import pack_error, pack_event, unpack_answer
from webui.extend.watch import watch_as_told

HEARTBEAT_S: Final = 1.0
ENDING_WAITS: Final = ("answer", "cancel", "close")
"""Frames that somebody who asked the parent looks at."""
UNUSABLE: Final = 71
"""Exit code after an error that the device can't go on after."""


def main() -> None:
    """Serve the parent on standard input and output until it closes them or says so."""
    for sign in (signal.SIGINT, signal.SIGTERM):  # meant for the server, which will tell us:
        signal.signal(sign, signal.SIG_IGN)  # to end before it asks would cost the job an attempt
    _die_with_parent()
    faulthandler.enable()
    watch_as_told(os.environ)
    inward, outward = _take_pipes()
    worker = Worker(FrameWriter(outward))
    _forward_logs(worker.writer)
    threading.Thread(target=worker.listen, args=(inward,), name="listen", daemon=True).start()
    threading.Thread(target=worker.beat, name="beat", daemon=True).start()
    worker.serve()
    outward.close()
    os._exit(0)  # whatever threads a library left behind, this process is done


class Worker:
    """Takes orders from the parent and reports to it."""

    def __init__(self, writer: FrameWriter) -> None:
        self.writer: Final = writer
        self._orders: Final[queue.SimpleQueue[Frame]] = queue.SimpleQueue()
        self._answers: Final[queue.SimpleQueue[Frame]] = queue.SimpleQueue()
        """To questions of the batch; also what ends the wait for one."""
        self._cancelled = 0
        """The newest batch that was cancelled; earlier ones are over."""

    def listen(self, pipe: IO[bytes]) -> None:
        """Sort what arrives. Without a parent there is nothing left to do: the process ends."""
        for frame in read_frames(pipe):
            if frame.kind == "cancel":
                self._cancelled = frame.batch
            elif frame.kind != "answer":
                self._orders.put(frame)
            if frame.kind in ENDING_WAITS:
                self._answers.put(frame)
        os._exit(0)

    def beat(self) -> None:
        """Tell the parent every second that this process runs."""
        pause = threading.Event()
        with contextlib.suppress(OSError):
            while not pause.wait(HEARTBEAT_S):
                self.writer.send(Frame(kind="beat"))

    def serve(self) -> None:
        """Prepare the engine, then make batch after batch."""
        begin = self._orders.get()
        try:
            engine = _create(begin)
            device = engine.prepare()
        except Exception as error:  # noqa: BLE001 - whatever it is, the parent is told and retries
            self.writer.send(pack_error(error, 0))
            return
        self.writer.send(Frame(kind="ready", data={"device": device}))
        while (order := self._orders.get()).kind != "close":
            match order.kind:
                case "expect":
                    engine.expect(from_json(ModelInfo, order.payload))
                case "release":
                    engine.release()
                    self.writer.send(Frame(kind="released"))
                case _:
                    self._run(engine, order)
        engine.close()

    def _run(self, engine: InProcessEngine, order: Frame) -> None:
        self.writer.send(Frame(kind="begun", batch=order.batch))
        try:
            work = from_json(Work, order.payload)
            self._tell(engine, work, order.batch)
        except Exception as error:  # noqa: BLE001 - the parent logs it and decides
            self.writer.send(pack_error(error, order.batch))
            if isinstance(error, EngineDied):
                os._exit(UNUSABLE)
        else:
            self.writer.send(Frame(kind="ended", batch=order.batch))

    def _tell(self, engine: InProcessEngine, work: Work, batch: int) -> None:
        answer: Answer = None
        with contextlib.closing(engine.generate(work)) as events:
            while (event := resumed(events, answer)) is not None:
                if self._cancelled == batch:
                    return
                self.writer.send(pack_event(event, batch))
                answer = None
                if isinstance(event, Ask) and (answer := self._answer(batch)) is None:
                    return

    def _answer(self, batch: int) -> Answer:
        """What the parent says to a question; None when it has cancelled. One that closes this
        engine, or is gone, ends the process: a batch that ended in order would pass for whole."""
        while True:
            frame = self._answers.get()
            if frame.kind == "close":
                os._exit(0)
            if frame.kind == "cancel" and frame.batch == batch:
                return None
            if frame.kind == "answer" and frame.batch == batch:
                return unpack_answer(frame)


def _create(begin: Frame) -> InProcessEngine:
    """The engine that a factory string such as "webui.engine.fake:create" names."""
    module, _, name = begin.data["factory"].partition(":")
    create = getattr(importlib.import_module(module), name)
    engine: InProcessEngine = create(begin.data["options"])
    return engine


def _take_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """The parent's two pipes, out of reach of anything that reads or prints."""
    inward, outward = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return inward, outward


def _die_with_parent() -> None:
    """Ask Linux for the end of this process with its parent, even if it hangs in native code;
    elsewhere the closed pipe has to do, and `listen` sees it."""
    if sys.platform == "linux":
        set_death_signal = 1
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)


def _forward_logs(writer: FrameWriter) -> None:
    root = logging.getLogger()
    root.handlers = [_PipeHandler(writer)]
    root.setLevel(logging.INFO)


class _PipeHandler(logging.Handler):
    """Log records become frames, so that the parent logs them as its own."""

    def __init__(self, writer: FrameWriter) -> None:
        super().__init__()
        self._writer: Final = writer

    def emit(self, record: logging.LogRecord) -> None:
        data = {"logger": record.name, "level": record.levelno, "text": self.format(record)}
        with contextlib.suppress(OSError):
            self._writer.send(Frame(kind="log", data=data))
