"""Looks through the folders of models: what was recognised before is not opened again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from webui.catalog.hashes import Look, look
from webui.catalog.index import Finding, FindingIndex
from webui.catalog.recognise import recognise
from webui.catalog.roots import Root
from webui.catalog.walk import Place, model_places
from webui.core.model import ModelFamily
from webui.families.told import stamp_beside

BATCH: Final = 250
"""New files after which what was found is shown and kept."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A file or folder as it is now, and what it turned out to be."""

    place: Place
    files: Look
    finding: Finding


@dataclass(frozen=True, kw_only=True)
class Looking:
    """How far a look through the folders is: `done` of `total` new files are recognised."""

    done: int
    total: int


Glimpse = tuple[Sequence[Seen], Looking]
"""What has been seen so far, and how far that is."""


@dataclass(frozen=True, kw_only=True)
class Scanner:
    """Looks through folders with what it knows from earlier looks."""

    index: FindingIndex
    families: Iterable[ModelFamily]
    shipped: Path

    def scan(self, roots: Sequence[Root], is_over: Callable[[], bool]) -> Iterator[Glimpse]:
        """What is there: first all that is known, then more of it, at last everything. Files may
        come and go meanwhile. Ends early when `is_over`."""
        known = self.index.all()
        seen, fresh = self._sort(model_places(roots, self.shipped), known)
        here = {str(file.place.path) for file in seen} | {str(place.path) for place, _ in fresh}
        self.index.change({}, _gone(known.keys() - here, roots))
        yield seen, Looking(done=0, total=len(fresh))
        for start in range(0, len(fresh), BATCH):
            batch: list[Seen] = []
            for place, files in fresh[start : start + BATCH]:
                if is_over():
                    return
                batch.append(self._recognised(place, files))
            self.index.change(_rows(batch), ())
            seen = [*seen, *batch]
            yield seen, Looking(done=start + len(batch), total=len(fresh))

    def _sort(
        self, places: Iterable[Place], known: Mapping[str, tuple[str, Finding]]
    ) -> tuple[list[Seen], list[tuple[Place, Look]]]:
        """What is known, and what is new; of that the large first, checkpoints among them."""
        seen: list[Seen] = []
        fresh: list[tuple[Place, Look]] = []
        for place in places:
            try:
                files = look(place.path)
            except OSError:
                continue  # gone since the folder was listed
            stamp, finding = known.get(str(place.path), ("", None))
            if finding is not None and stamp == _stamp(place, files):
                seen.append(Seen(place=place, files=files, finding=finding))
            else:
                fresh.append((place, files))
        return seen, sorted(fresh, key=lambda entry: -entry[1].size_bytes)

    def _recognised(self, place: Place, files: Look) -> Seen:
        finding = recognise(place.path, place.parents, tuple(self.families))
        return Seen(place=place, files=files, finding=finding)


def _gone(paths: Iterable[str], roots: Iterable[Root]) -> list[str]:
    """The files that are to be forgotten: not those on a disk that will be there again."""
    away = tuple(f"{root.path}{os.sep}" for root in roots if not root.is_there)
    return [path for path in paths if not (away and path.startswith(away))]


def _rows(batch: Iterable[Seen]) -> dict[str, tuple[str, Finding]]:
    return {str(file.place.path): (_stamp(file.place, file.files), file.finding) for file in batch}


def _stamp(place: Place, files: Look) -> str:
    """Changes with all that tells what a model is."""
    return files.stamp + stamp_beside(place.path)
