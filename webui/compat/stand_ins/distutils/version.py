"""Versions that can be compared."""

from __future__ import annotations

import re
from functools import total_ordering
from typing import Any


@total_ordering
class LooseVersion:
    """Numbers and words between dots, compared one by one."""

    def __init__(self, vstring: str = "") -> None:
        self.vstring = str(vstring)
        parts = re.findall(r"\d+|[a-z]+", self.vstring.lower())
        self.version: list[Any] = [int(part) if part.isdigit() else part for part in parts]

    def __str__(self) -> str:
        return self.vstring

    def _key(self) -> list[tuple[int, Any]]:
        return [(0, part) if isinstance(part, int) else (1, part) for part in self.version]

    def __eq__(self, other: object) -> bool:
        return self._key() == LooseVersion(str(other))._key()

    def __lt__(self, other: object) -> bool:
        return self._key() < LooseVersion(str(other))._key()

    def __hash__(self) -> int:
        return hash(tuple(self._key()))


StrictVersion = LooseVersion
