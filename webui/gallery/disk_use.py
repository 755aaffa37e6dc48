"""How much room each person's pictures take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Final

from webui.core.job import PersonId
from webui.gallery.found import trashed_file
from webui.gallery.index import Index

FRESH_S: Final = 20.0
"""So long a sum is good: a person who reaches a limit may be a few pictures beyond it."""


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
        self._sizes: dict[PersonId, dict[str, int]] = {}
        self._looked_at: dict[PersonId, float] = {}

    def of(self, owner: PersonId) -> int:
        """The bytes of a person's pictures."""
        with self._lock:
            if self._clock() - self._looked_at.get(owner, -FRESH_S) >= FRESH_S:
                self._look(owner)
                self._looked_at[owner] = self._clock()
            return sum(self._sizes[owner].values())

    def _look(self, owner: PersonId) -> None:
        known = self._sizes.get(owner, {})
        self._sizes[owner] = {
            id: known[id] if id in known else self._size(id, PurePosixPath(path), is_trashed)
            for id, path, is_trashed in self._index.files(owner)
        }

    def _size(self, id: str, path: PurePosixPath, is_trashed: bool) -> int:
        try:
            return (self._outputs / (trashed_file(id, path) if is_trashed else path)).stat().st_size
        except OSError:  # it was moved or deleted by hand just now
            return 0
