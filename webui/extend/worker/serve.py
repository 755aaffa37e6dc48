"""The process of one extension: `python -m webui.extend.worker.serve FOLDER ID [ENTRY]`.

Says hello with what the extension has, then answers one call after the other. Whatever the code
prints goes to the log; the pipe is out of its reach.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Final

from webui.core.errors import InvalidRequest
from webui.core.frames import Frame, FrameWriter, read_frames
from webui.core.person import Role
from webui.extend.data import Context, StopJob
from webui.extend.loading import load_folder
from webui.extend.registration import Hooks, hooks_of
from webui.extend.worker import ADDS, HOOKS
from webui.extend.worker.wire import pack, unpack

SPACE: Final = "worker"


class Server:
    """Answers what the server asks of one extension."""

    def __init__(self, hooks: Hooks, writer: FrameWriter) -> None:
        self._hooks: Final = hooks
        self._writer: Final = writer
        self._added: Final[dict[str, Callable[..., Any]]] = {}

    def hello(self) -> dict[str, Any]:
        """Its hooks with their arguments, and what it adds."""
        taken = {name: list(each.arguments) for name, each in self._hooks.items() if name in HOOKS}
        refused = [name for name in self._hooks if name not in (*HOOKS, *ADDS)]
        return {"hooks": taken, "adds": self._collect(), "refused": refused}

    def answer(self, frame: Frame) -> Frame:
        """What a hook gives back, or how it failed."""
        try:
            asked = unpack(frame)
            return pack("result", frame.batch, self._run(frame, asked))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the border of extensions
            return pack("failed", frame.batch, _told(error))

    def _run(self, frame: Frame, asked: Mapping[str, Any]) -> Any:
        name, given = asked["hook"], asked["given"]
        if name in self._added:
            return self._added[name](*given["arguments"])
        hook = self._hooks[name]
        given = {argument: given.get(argument) for argument in hook.arguments}
        if "ctx" in hook.arguments:
            given["ctx"] = self._context(frame.batch, asked["ctx"])
        return hook(given)

    def _context(self, number: int, about: Mapping[str, Any]) -> Context:
        def progress(fraction: float, note: str) -> None:
            self._writer.send(pack("progress", number, [fraction, note]))

        about["data"].mkdir(parents=True, exist_ok=True)
        log = logging.getLogger(f"extension.{about['extension']}")
        role = Role(about["role"])
        return Context(**{**about, "role": role}, log=log, progress=progress)

    def _collect(self) -> dict[str, list[dict[str, Any]]]:
        """Descriptors without their functions, which stay here under a name."""
        found: dict[str, list[dict[str, Any]]] = {}
        for name in set(ADDS) & set(self._hooks):
            rows: list[dict[str, Any]] = []

            def register(part: Any, name: str = name, rows: list[dict[str, Any]] = rows) -> None:
                key = f"{name}:{part.id}"
                self._added[key] = part.run if hasattr(part, "run") else part.enlarge
                inputs = list(getattr(part, "inputs", ()))
                rows.append({"key": key, "id": part.id, "label": part.label, "inputs": inputs})

            self._hooks[name]({"register": register})
            found[name] = rows
        return found


def _told(error: BaseException) -> dict[str, str]:
    kind = "stop" if isinstance(error, StopJob) else "error"
    if isinstance(error, InvalidRequest):
        kind = "invalid"
    return {
        "kind": kind,
        "field": getattr(error, "field", ""),
        "text": str(error),
        "name": type(error).__name__,
        "traceback": "".join(traceback.format_exception(error)),
    }


def _pipes() -> tuple[IO[bytes], IO[bytes]]:
    """The server's two pipes, out of reach of anything that reads or prints."""
    inward, outward = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return inward, outward


def main(arguments: list[str]) -> None:
    """Serve until the pipe is closed."""
    inward, outward = _pipes()
    writer = FrameWriter(outward)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    folder, id, entry = Path(arguments[0]), arguments[1], (arguments[2:] or [""])[0]
    try:
        hooks = hooks_of(load_folder(SPACE, id, folder, entry), id, id)
        server = Server(hooks, writer)
        writer.send(pack("hello", 0, server.hello()))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - told to the server, then the end
        writer.send(pack("failed", 0, _told(error)))
        return
    for frame in read_frames(inward):
        writer.send(server.answer(frame))


if __name__ == "__main__":
    main(sys.argv[1:])
