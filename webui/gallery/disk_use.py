"""How much room each person's pictures take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from webui.core.job import PersonId
from webui.gallery.found import trashed_file
from webui.gallery.index import Index

RECOUNT_S: Final = 30.0
"""So long what was deleted for good may still be counted. New pictures count at once."""


@dataclass
class _Sum:
    """One person's pictures, as far as they were counted."""

    sizes: dict[str, int] = field(default_factory=dict)
    total: int = 0
    last: int = 0
    """The row of the last one."""
    begun_at: float = 0.0


class DiskUse:
    """Bytes of pictures by their owners, those in the trash among them. Each file is looked at
    once: pictures never change. Usable from any thread."""

    def __init__(
        self, outputs: Path, index: Index, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._outputs: Final = outputs
        self._index: Final = index
        self._clock: Final = clock
        self._lock: Final = threading.Lock()
        self._sums: dict[PersonId, _Sum] = {}

    def of(self, owner: PersonId) -> int:
        """The bytes of a person's pictures."""
        with self._lock:
            now, known = self._clock(), self._sums.get(owner)
            counted = known
            if counted is None or now - counted.begun_at >= RECOUNT_S:
                counted = self._sums[owner] = _Sum(begun_at=now)
            old = known.sizes if known else {}
            for row, id, path, is_trashed in self._index.files(owner, counted.last):
                size = old[id] if id in old else self._size(id, PurePosixPath(path), is_trashed)
                counted.sizes[id] = size
                counted.total += size
                counted.last = row
            return counted.total

    def count_anew(self, owner: PersonId) -> None:
        """Some of a person's pictures were deleted for good."""
        with self._lock:
            if counted := self._sums.get(owner):
                counted.begun_at = float("-inf")

    def _size(self, id: str, path: PurePosixPath, is_trashed: bool) -> int:
        try:
            return (self._outputs / (trashed_file(id, path) if is_trashed else path)).stat().st_size
        except OSError:  # it was moved or deleted by hand just now
            return 0
