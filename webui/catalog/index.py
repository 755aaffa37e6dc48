"""What was found in each model file, kept in the database: reading 10,000 headers takes a while."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

RULES: Final = 1
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


class FindingIndex:
    """Findings by path, valid as long as the file's stamp stays. Usable from any thread."""

    def __init__(self, database: Path, families: Iterable[str]) -> None:
        self._rules: Final = f"{RULES} {' '.join(families)}"
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS finding"
            " (path TEXT PRIMARY KEY, stamp TEXT, rules TEXT, finding TEXT)"
        )

    def all(self) -> dict[str, tuple[str, Finding]]:
        """Stamp and finding of every file by its path."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT path, stamp, finding FROM finding WHERE rules = ?", (self._rules,)
            ).fetchall()
        return {str(path): (str(stamp), Finding(**json.loads(text))) for path, stamp, text in rows}

    def change(self, found: Mapping[str, tuple[str, Finding]], gone: Iterable[str]) -> None:
        """Keep what was found, by path, and forget files that are gone."""
        rows = [
            (path, stamp, self._rules, json.dumps(asdict(finding)))
            for path, (stamp, finding) in found.items()
        ]
        with self._lock:
            self._connection.execute("BEGIN")
            self._connection.executemany("INSERT OR REPLACE INTO finding VALUES (?, ?, ?, ?)", rows)
            self._connection.executemany(
                "DELETE FROM finding WHERE path = ?", [(path,) for path in gone]
            )
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()
