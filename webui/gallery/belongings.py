"""What a person keeps here, and which of their uploads nothing of theirs needs any more."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from webui.core.job import PersonId
from webui.core.request import InputId
from webui.gallery.gallery import Gallery
from webui.gallery.inputs import InputStore

FRESH_S: Final = 24 * 60 * 60
"""So long an upload is kept in any case: it may stand in a page whose button nobody has pressed."""

_ID: Final = re.compile(r"\b[0-9a-f]{64}\b")


@dataclass(frozen=True)
class Uploads:
    """How many, and how large together."""

    count: int
    bytes: int


class Belongings:
    """The pictures and uploads of each person. Usable from any thread."""

    def __init__(
        self,
        gallery: Gallery,
        inputs: InputStore,
        others: Sequence[Callable[[PersonId], Iterable[str]]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`others` give what else of a person names uploads, as JSON; `clock` tells the seconds
        since 1970."""
        self._gallery: Final = gallery
        self._inputs: Final = inputs
        self._texts: Final = (gallery.recipes, *others)
        self._clock: Final = clock

    def bytes_of(self, person: PersonId) -> int:
        """What their pictures, also those in the trash, and uploads take on the disk."""
        return self._gallery.disk_use.of(person) + self._inputs.bytes_of(person)

    def unused(self, person: PersonId) -> Uploads:
        """Their uploads that no picture, job or plan of theirs names."""
        return self._sum(self._unused(person))

    def delete_unused(self, person: PersonId) -> Uploads:
        """Delete those; what was deleted. Raises DiskFull."""
        ids = self._unused(person)
        found = self._sum(ids)
        for id in ids:
            self._inputs.delete(id, person)
        return found

    def _unused(self, person: PersonId) -> list[InputId]:
        before = self._clock() - FRESH_S
        old = {id for id in self._inputs.of(person) if self._inputs.put_in_at(id) < before}
        for texts in self._texts if old else ():
            for text in texts(person):
                old.difference_update(_ID.findall(text))
        return sorted(old)

    def _sum(self, ids: Sequence[InputId]) -> Uploads:
        return Uploads(len(ids), sum(map(self._inputs.size, ids)))
