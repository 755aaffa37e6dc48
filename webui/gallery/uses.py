"""How many pictures each model file helped to make."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Final

from webui.gallery.index import Index


class ModelUses:
    """Pictures by the hashes and the ids of the models in their recipes, those in the trash among
    them. Each recipe is read once. Usable from any thread."""

    def __init__(self, index: Index) -> None:
        self._index: Final = index
        self._lock: Final = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._counted = 0

    def counts(self) -> Mapping[str, int]:
        """The pictures that there are now, by sha256 and by id of their models."""
        with self._lock:
            newest, found = self._index.uses(self._counted)
            if newest > self._counted:
                self._counted, self._counts = newest, self._counts + found
            return self._counts
