"""What batches have needed on this machine, kept from one start to the next."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from webui.core.files import write_atomic
from webui.engine.memory.thrift import TILES, Frugality

log = logging.getLogger(__name__)

KEPT: Final = 500
FORGOTTEN_AFTER: Final = 20
"""So many batches after one that was short, less frugality is tried again: what took the memory
then may be gone."""


@dataclass(frozen=True, kw_only=True)
class Experience:
    """What one kind of batch needed."""

    peak_bytes: int = 0
    """The most that was taken beside the weights."""
    frugality: Frugality = field(default_factory=Frugality)
    batches: int = 0
    """How many have passed with this frugality."""


class History:
    """Experiences by what a batch is: network, size, rows. One engine uses a file."""

    def __init__(self, file: Path | None) -> None:
        """Without a file nothing outlives this object. A damaged one is as none."""
        self._file: Final = file
        self._known: Final = _read(file)

    def of(self, key: str) -> Experience:
        """What is known of this kind of batch."""
        found = self._known.get(key, Experience())
        is_old = found.batches >= FORGOTTEN_AFTER
        return Experience(peak_bytes=found.peak_bytes) if is_old else found

    def learn(self, key: str, peak_bytes: int, frugality: Frugality) -> None:
        """Remember a batch that came to its end."""
        before = self.of(key)
        is_same = before.frugality == frugality and frugality != Frugality()
        now = Experience(
            peak_bytes=max(peak_bytes, before.peak_bytes if is_same else 0),
            frugality=frugality,
            batches=before.batches + 1 if is_same else 0,
        )
        if self._known.get(key) == now:
            return
        self._known.pop(key, None)
        self._known[key] = now
        while len(self._known) > KEPT:
            del self._known[next(iter(self._known))]
        self._write()

    def _write(self) -> None:
        if self._file is None:
            return
        known = {key: asdict(experience) for key, experience in self._known.items()}
        try:
            write_atomic(self._file, json.dumps(known, indent=1).encode())
        except OSError as error:  # no picture shall fail by it
            log.warning("What batches need can't be remembered (%s).", error)


def _read(file: Path | None) -> dict[str, Experience]:
    try:
        known: Any = {} if file is None else json.loads(file.read_bytes())
        return {str(key): _experience(entry) for key, entry in known.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _experience(entry: Any) -> Experience:
    rows, tile = entry["frugality"]["rows"], entry["frugality"]["tile"]
    return Experience(
        peak_bytes=int(entry["peak_bytes"]),
        frugality=Frugality(
            rows=None if rows is None else max(1, int(rows)),
            tile=tile if tile in TILES else None,
        ),
        batches=int(entry["batches"]),
    )
