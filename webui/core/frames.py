"""Messages over a pipe between two processes of the program.

A frame is a few names and numbers as JSON, with raw bytes behind: pixels and previews are never
pickled, and nothing that arrives is ever unpickled.
"""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Final

LENGTHS: Final = struct.Struct("<II")
"""Bytes of JSON, bytes of payload."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One message. `kind` says what; `batch` which batch it is about, 0 if none."""

    kind: str
    batch: int = 0
    data: Mapping[str, Any] = field(default_factory=dict)
    payload: bytes = b""


class FrameWriter:
    """Sends frames from any thread, each whole. Raises OSError when the other end is gone."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe: Final = pipe
        self._lock: Final = threading.Lock()

    def send(self, frame: Frame) -> None:
        """Send one frame; waits while the pipe is full."""
        head = json.dumps([frame.kind, frame.batch, frame.data]).encode()
        with self._lock:
            self._pipe.write(LENGTHS.pack(len(head), len(frame.payload)) + head)
            self._pipe.write(frame.payload)
            self._pipe.flush()


def read_frames(pipe: IO[bytes]) -> Iterator[Frame]:
    """Frames until the other end is closed; a frame that was cut off is dropped."""
    while len(lengths := pipe.read(LENGTHS.size)) == LENGTHS.size:
        head_bytes, payload_bytes = LENGTHS.unpack(lengths)
        head, payload = pipe.read(head_bytes), pipe.read(payload_bytes)
        if len(head) < head_bytes or len(payload) < payload_bytes:
            return
        kind, batch, data = json.loads(head)
        yield Frame(kind=kind, batch=batch, data=data, payload=payload)
