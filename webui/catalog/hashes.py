"""sha256 of model files, computed once and kept: a 7 GB file takes seconds to read."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final

CHUNK_BYTES: Final = 2**20


class HashCache:
    """Hashes by path, valid as long as size and time of change stay. Usable from any thread."""

    def __init__(self, database: Path) -> None:
        database.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS hash (key TEXT PRIMARY KEY, stamp TEXT, sha256 TEXT)"
        )

    def known(self, path: Path) -> str | None:
        """The hash of a model if it has been computed and the files have not changed since."""
        with self._lock:
            row = self._connection.execute(
                "SELECT sha256 FROM hash WHERE key = ? AND stamp = ?", (str(path), _stamp(path))
            ).fetchone()
        return str(row[0]) if row else None

    def compute(self, path: Path) -> str:
        """The hash of a model, read from disk unless it is known. Raises OSError."""
        if (known := self.known(path)) is not None:
            return known
        stamp, sha256 = _stamp(path), _sha256(weight_files(path))
        with self._lock:
            self._connection.execute(
                "INSERT OR REPLACE INTO hash VALUES (?, ?, ?)", (str(path), stamp, sha256)
            )
        return sha256

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()


def weight_files(path: Path) -> list[Path]:
    """The weight files of a model: itself, or those of a diffusers folder, in a fixed order."""
    return [path] if path.is_file() else sorted(path.rglob("*.safetensors"))


def _stamp(path: Path) -> str:
    stats = [(file, file.stat()) for file in weight_files(path)]
    return ";".join(f"{file.name}:{stat.st_size}:{stat.st_mtime_ns}" for file, stat in stats)


def _sha256(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
    return digest.hexdigest()
