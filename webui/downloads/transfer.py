"""The bytes of one download: from where they were left to the end, never more than there is room
for. What the bytes are is not judged here, but that they begin like a model."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

from webui.core.errors import DiskFull
from webui.downloads.download import Download, Options
from webui.downloads.look_up import content_range, refuse_no_model, whole_size
from webui.downloads.replies import check_status
from webui.net.faults import FetchCut, FetchRefused
from webui.net.fetch import Answer, Fetcher

CHUNK_BYTES: Final = 2**18
TICK_S: Final = 0.5
"""Between two looks at the room on the disk, and two records of how far it is."""
TELLING_BYTES: Final = 512
NO_RESUME: Final = "The file has changed at its source since the download began: it began again."


class Line:
    """The way to end a transfer from another thread, also while it waits for the other side."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._stopped: Final = threading.Event()
        self._answer: Answer | None = None
        self.why = ""
        """Why it was ended: the first reason counts."""

    @property
    def is_stopped(self) -> bool:
        """Whether it was ended."""
        return self._stopped.is_set()

    def stop(self, why: str) -> None:
        """End it now."""
        with self._lock:
            self.why = self.why or why
            self._stopped.set()
            if self._answer is not None:
                self._answer.abort()

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until it is ended; whether it is."""
        return self._stopped.wait(seconds)

    @contextmanager
    def holding(self, answer: Answer) -> Iterator[Answer]:
        """The answer, which `stop` may cut off; closed at the end."""
        with self._lock:
            self._answer = answer
        try:
            yield answer
        finally:
            with self._lock:
                self._answer = None
            answer.close()


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """How bytes come."""

    fetcher: Fetcher
    options: Options
    tick_s: float = TICK_S

    def receive(self, download: Download, line: Line) -> Iterator[Download]:
        """The record of a download each time more of it is safe on disk, the whole at the end.
        Ends early when the line is stopped.

        Raises FetchRefused, FetchCut, DiskFull or OSError; what was received stays.
        """
        download = _as_on_disk(download)
        if download.total_bytes is not None and download.received_bytes == download.total_bytes:
            yield download
            return
        with line.holding(self._ask(download)) as answer:
            if download.received_bytes and not _continues(answer, download):
                if answer.status not in (200, 416, 206):
                    check_status(answer, download.source)
                download = replace(download, received_bytes=0, validator="", note=NO_RESUME)
                if answer.status != 200:
                    yield download  # whoever asks again asks for all of it
                    raise FetchCut("The file can't be continued where it was left.")
            check_status(answer, download.source)
            yield from self._write(_described(answer, download), answer, line)

    def _ask(self, download: Download) -> Answer:
        headers: dict[str, str] = {}
        if download.received_bytes:
            headers["Range"] = f"bytes={download.received_bytes}-"
            if download.validator:
                headers["If-Range"] = download.validator
        return self.fetcher.get(download.url, headers)

    def _write(self, download: Download, answer: Answer, line: Line) -> Iterator[Download]:
        part = Path(download.part)
        self._check_room(part, download)
        with part.open("r+b" if part.exists() else "xb") as file:
            file.truncate(download.received_bytes)
            file.seek(download.received_bytes)
            yield download
            for received in self._pieces(file, answer, download.received_bytes, line):
                download = replace(download, received_bytes=received)
                self._check_room(part, download)
                yield download
        total = download.total_bytes
        if not line.is_stopped and total is not None and download.received_bytes < total:
            raise FetchCut(f"“{answer.host}” ended the connection too early. Try again.")

    def _pieces(self, file: BinaryIO, answer: Answer, at: int, line: Line) -> Iterator[int]:
        """How much is safe on disk, about twice a second and at the end."""
        start, told = b"" if at == 0 else None, 0.0
        try:
            while not line.is_stopped and (piece := answer.read(CHUNK_BYTES)):
                file.write(piece)
                at += len(piece)
                if start is not None:
                    start = _looked_at(start + piece[:TELLING_BYTES], file)
                if time.monotonic() - told >= self.tick_s:
                    _make_safe(file)
                    yield at
                    told = time.monotonic()
        except FetchCut:
            _make_safe(file)
            yield at
            raise
        if start is not None and not line.is_stopped:
            refuse_no_model(Path(file.name).name, start or b"\0")
        _make_safe(file)
        yield at

    def _check_room(self, part: Path, download: Download) -> None:
        """Raises FetchRefused for what is larger than ever wanted, DiskFull when there is too
        little room."""
        size = max(download.total_bytes or 0, download.received_bytes)
        if size > self.options.most_bytes:
            raise FetchRefused(
                f"{download.name} has more than {self.options.most_bytes / 1e9:.0f} GB, the most "
                "that a download may have (download_most_gb in the settings)."
            )
        left = size - download.received_bytes + self.options.keep_free_bytes
        free = shutil.disk_usage(part.parent).free
        if free < left:
            raise DiskFull(
                f"There is too little room for {download.name}: {free / 1e9:.1f} GB are free, "
                f"{left / 1e9:.1f} GB are needed. Make room and press Resume."
            )


def _as_on_disk(download: Download) -> Download:
    """The record with no more than the partial file has; nothing of what can't be continued."""
    part = Path(download.part)
    part.parent.mkdir(parents=True, exist_ok=True)
    have = min(part.stat().st_size, download.received_bytes) if part.exists() else 0
    if not download.validator and not download.sha256:
        have = 0  # nobody could tell whether the rest belongs to it
    return replace(download, received_bytes=have)


def _continues(answer: Answer, download: Download) -> bool:
    """Whether an answer goes on where the partial file ends, with the same file."""
    told = content_range(answer)
    if told is None or told[0] != download.received_bytes:
        return False
    same_size = download.total_bytes in (None, told[1])
    now = _validator(answer)
    return same_size and (not now or not download.validator or now == download.validator)


def _described(answer: Answer, download: Download) -> Download:
    """With what the answer says of the file."""
    if answer.header("Content-Encoding").lower() not in ("", "identity"):
        raise FetchRefused(f"“{answer.host}” sends the file in a packed form. Try another one.")
    return replace(download, total_bytes=whole_size(answer), validator=_validator(answer))


def _validator(answer: Answer) -> str:
    """What changes with the file: its strong ETag, else its date; both can be sent back."""
    etag = answer.header("ETag")
    if etag and not etag.startswith("W/"):
        return etag
    return answer.header("Last-Modified")


def _looked_at(start: bytes, file: BinaryIO) -> bytes | None:
    """The first bytes while there are too few of them to tell a model, then None. Raises
    FetchRefused."""
    if len(start) < TELLING_BYTES:
        return start
    refuse_no_model(Path(file.name).name, start)
    return None


def _make_safe(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
