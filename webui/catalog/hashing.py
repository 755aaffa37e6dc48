"""Computes the hashes of many models in the background: one at a time, and gently."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from webui.catalog.hashes import CHUNK_BYTES, HashCache, Hashes, legacy_hash, look, weight_files
from webui.catalog.recognise import SAFETENSORS
from webui.core.model import ModelInfo, ModelKind
from webui.modelfiles.header import weights_offset

log = logging.getLogger(__name__)

NICENESS: Final = 15
SHOW_EVERY_S: Final = 5.0
BUSY_POLL_S: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class Hashing:
    """How far the computing of hashes is. `name` is the model at hand; `is_waiting` while a job
    has the machine."""

    done: int
    total: int
    done_bytes: int
    total_bytes: int
    name: str = ""
    is_waiting: bool = False


class Hasher:
    """Reads model files from end to end while nobody needs the machine. Usable from any thread."""

    def __init__(
        self,
        cache: HashCache,
        is_busy: Callable[[], bool] = lambda: False,
        on_hashed: Callable[[], None] = lambda: None,
    ) -> None:
        """`is_busy` makes it wait; `on_hashed` is called now and then, and at the end, when there
        are new hashes."""
        self._cache: Final = cache
        self._is_busy: Final = is_busy
        self._on_hashed: Final = on_hashed
        self._lock: Final = threading.Lock()
        self._cancelled = threading.Event()
        self._thread: threading.Thread | None = None
        self.hashing: Hashing | None = None
        """How far it is; None while there is nothing to do."""

    def start(self, models: Iterable[ModelInfo]) -> Hashing | None:
        """Begin with those of these models whose hashes are not known, unless it is at work
        already; how far it is, None if there is nothing to do."""
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return self.hashing
            wanted = [model for model in models if not self._is_known(model)]
            if not wanted:
                return None
            size = sum(model.size_bytes for model in wanted)
            self._cancelled = threading.Event()
            self.hashing = Hashing(done=0, total=len(wanted), done_bytes=0, total_bytes=size)
            self._thread = threading.Thread(target=self._run, args=(wanted,), daemon=True)
            self._thread.name = "hashes"
            self._thread.start()
            return self.hashing

    def cancel(self) -> None:
        """End it; hashes that were computed stay. Returns when it has ended."""
        self._cancelled.set()
        if (thread := self._thread) is not None:
            thread.join()

    def _is_known(self, model: ModelInfo) -> bool:
        try:
            return self._cache.has_all(model.path, has_body=_has_body(model))
        except OSError:
            return True  # gone: nothing to be done

    def _run(self, wanted: list[ModelInfo]) -> None:
        _be_gentle()
        queue, shown_at = deque(wanted), time.monotonic()
        try:
            while queue and not self._cancelled.is_set():
                self._hash(queue.popleft())
                if time.monotonic() - shown_at > SHOW_EVERY_S:
                    self._on_hashed()
                    shown_at = time.monotonic()
        finally:
            self.hashing = None
            self._on_hashed()

    def _hash(self, model: ModelInfo) -> None:
        before = self.hashing or Hashing(done=0, total=1, done_bytes=0, total_bytes=0)
        self.hashing = replace(before, name=model.name)
        try:
            stamp = look(model.path).stamp
            hashes = self._read(model)
            if hashes is not None and look(model.path).stamp == stamp:
                self._cache.keep(model.path, stamp, hashes)
        except OSError as error:
            log.warning("The hash of %s can't be computed (%s).", model.name, error.strerror)
        done_bytes = before.done_bytes + model.size_bytes
        self.hashing = replace(before, done=before.done + 1, done_bytes=done_bytes)

    def _read(self, model: ModelInfo) -> Hashes | None:
        """All hashes of a model in one reading; None when it was cancelled."""
        whole, body = hashlib.sha256(), hashlib.sha256()
        skip = weights_offset(model.path) if _has_body(model) else 0
        at = 0
        for chunk in self._chunks(model):
            whole.update(chunk)
            if _has_body(model):
                body.update(chunk[max(0, skip - at) :])
            at += len(chunk)
        if self._cancelled.is_set():
            return None
        return Hashes(
            whole=whole.hexdigest(),
            body=body.hexdigest() if _has_body(model) else "",
            legacy=legacy_hash(model.path) if model.path.is_file() else "",
        )

    def _chunks(self, model: ModelInfo) -> Iterator[bytes]:
        for path in weight_files(model.path):
            with path.open("rb") as file:
                while not self._cancelled.is_set() and (chunk := file.read(CHUNK_BYTES)):
                    yield chunk
                    self._advance(len(chunk))

    def _advance(self, count: int) -> None:
        """Take note of bytes that were read, and give way to jobs."""
        if (now := self.hashing) is None:
            return
        self.hashing = replace(now, done_bytes=now.done_bytes + count)
        while self._is_busy() and not self._cancelled.wait(BUSY_POLL_S):
            self.hashing = replace(now, done_bytes=now.done_bytes + count, is_waiting=True)


def alike_first(models: Iterable[ModelInfo], only_alike: bool) -> list[ModelInfo]:
    """Models in the order in which their hashes tell most: those that have the size of another one
    first. With `only_alike` no others: duplicates are among them."""
    listed = list(models)
    sizes: dict[int, int] = {}
    for model in listed:
        sizes[model.size_bytes] = sizes.get(model.size_bytes, 0) + 1
    alike = [model for model in listed if sizes[model.size_bytes] > 1]
    return alike if only_alike else [*alike, *(m for m in listed if sizes[m.size_bytes] == 1)]


def _has_body(model: ModelInfo) -> bool:
    return model.kind is ModelKind.LORA and model.path.suffix.lower() == SAFETENSORS


def _be_gentle() -> None:
    """Let everything else go first, where a thread can be told to."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
