"""What was found in each model file, kept in the database: reading 10,000 headers takes a while."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Final

from webui.core.database import transaction
from webui.core.model import ModelFamily

log = logging.getLogger(__name__)

RULES: Final = 9
"""Raise this when files are recognised differently: what was kept is looked at again then."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a file turned out to be. `kind` is empty for one that can't be used: `problem` says
    why, or is empty for one that concerns nobody."""

    kind: str = ""
    family: str = ""
    alias: str = ""
    claimed_hash: str = ""
    """The hash of its weights, as the file itself says."""
    problem: str = ""
    variant: str = ""
    missing: tuple[str, ...] = ()


class FindingIndex:
    """Findings by path, valid as long as the file's stamp stays. Usable from any thread."""

    def __init__(self, connection: sqlite3.Connection, families: Iterable[ModelFamily]) -> None:
        """Ends the connection with `close`. What was found by other families does not count."""
        self._families: Final = families
        self._lock = threading.Lock()
        self._connection = connection

    def all(self) -> dict[str, tuple[str, Finding]]:
        """Stamp and finding of every file by its path."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT path, stamp, finding FROM finding WHERE rules = ?", (self._rules,)
            ).fetchall()
        return {str(path): (str(stamp), _read(text)) for path, stamp, text in rows}

    def change(self, found: Mapping[str, tuple[str, Finding]], gone: Iterable[str]) -> None:
        """Keep what was found, by path, and forget files that are gone. Where that fails they are
        looked at again the next time."""
        rows = [
            (path, stamp, self._rules, json.dumps(asdict(finding)))
            for path, (stamp, finding) in found.items()
        ]
        try:
            with self._lock, transaction(self._connection):
                self._change(rows, gone)
        except sqlite3.OperationalError as error:  # a full disk, or a backup that holds the file
            log.warning("What was found in the models folder can't be kept (%s).", error)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()

    @property
    def _rules(self) -> str:
        return f"{RULES} {' '.join(family.id for family in self._families)}"

    def _change(self, rows: Iterable[tuple[str, str, str, str]], gone: Iterable[str]) -> None:
        self._connection.executemany("INSERT OR REPLACE INTO finding VALUES (?, ?, ?, ?)", rows)
        self._connection.executemany(
            "DELETE FROM finding WHERE path = ?", [(path,) for path in gone]
        )


def _read(text: str) -> Finding:
    entries = json.loads(text)
    return Finding(**{**entries, "missing": tuple(entries["missing"])})
