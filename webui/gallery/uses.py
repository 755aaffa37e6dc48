"""How many pictures each model file helped to make."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Final

from webui.core.job import PersonId
from webui.gallery.index import Index


class ModelUses:
    """Pictures by the hashes and the ids of the models in their recipes, those in the trash among
    them. Each recipe is read once. Usable from any thread."""

    def __init__(self, index: Index) -> None:
        self._index: Final = index
        self._lock: Final = threading.Lock()
        self._counts: dict[PersonId, Counter[str]] = {}
        self._counted = 0

    def counts(self, owner: PersonId | None = None) -> Mapping[str, int]:
        """The pictures that there are now, by sha256 and by id of their models; of one person, or
        of all."""
        with self._lock:
            newest, found = self._index.uses(self._counted)
            if newest > self._counted:
                self._counted = newest
                for person, counted in found.items():
                    self._counts[person] = self._counts.get(person, Counter()) + counted
            if owner is not None:
                return self._counts.get(owner, Counter())
            return sum(self._counts.values(), Counter())
