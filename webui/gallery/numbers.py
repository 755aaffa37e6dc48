"""Which number the next picture of a folder gets, without looking at the folder each time."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path
from typing import Final

from webui.gallery.index import Index

_LEADING: Final = re.compile(r"(\d{5,7})(?!\d)")
"""Eight digits would be a date."""
_REMEMBERED: Final = 1000


def leading_number(name: str) -> int | None:
    """The number that a file name begins with, None if it doesn't."""
    match = _LEADING.match(name)
    return int(match[1]) if match else None


class Numbers:
    """Counts in memory; begins behind the index and, for a folder, behind what lies in it.

    Two programs that save into one folder may give out the same number, never the same name.
    """

    def __init__(self, outputs: Path, index: Index) -> None:
        self._outputs: Final = outputs
        self._index: Final = index
        self._lock: Final = threading.Lock()
        self._next: dict[str, int] = {}

    def take(self, series: str, is_folder: bool) -> int:
        """The next number of a series; 0 for the first. Usable from any thread."""
        with self._lock:
            if series not in self._next:
                if len(self._next) >= _REMEMBERED:
                    self._next.clear()
                self._next[series] = self._first(series, is_folder)
            number = self._next[series]
            self._next[series] += 1
            return number

    def forget(self, series: str) -> None:
        """Look again next time, because a number that was taken is not used after all."""
        with self._lock:
            self._next.pop(series, None)

    def _first(self, series: str, is_folder: bool) -> int:
        used = self._index.highest_number(series)
        lying = _highest_in(self._outputs / series) if is_folder else None
        return max(-1 if used is None else used, -1 if lying is None else lying) + 1


def _highest_in(folder: Path) -> int | None:
    try:
        with os.scandir(folder) as entries:
            numbers = [leading_number(entry.name) for entry in entries]
    except OSError:
        return None
    return max((number for number in numbers if number is not None), default=None)
