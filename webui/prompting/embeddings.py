"""Finds the names of embeddings in a text: whole words, in any case, the longest name first."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Named:
    """A place where an embedding stands for its name."""

    name: str
    start: int
    end: int


def find_embeddings(text: str, names: Collection[str]) -> Iterator[Named]:
    """The places in `text` where one of `names` stands, in order."""
    folded = text.casefold()
    wanted = {name.casefold(): name for name in sorted(names, reverse=True)}
    present = sorted((key for key in wanted if key and key in folded), key=len, reverse=True)
    if not present:
        return
    alternatives = "|".join(map(re.escape, (wanted[key] for key in present)))
    for match in re.finditer(rf"(?<!\w)(?:{alternatives})(?!\w)", text, re.IGNORECASE):
        name = wanted.get(match.group().casefold())
        if name is not None:
            yield Named(name=name, start=match.start(), end=match.end())
