"""sha256 of model files, computed once and kept: a 7 GB file takes seconds to read."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from webui.modelfiles.header import weights_offset
from webui.modelfiles.pickled_folder import pickles_in
from webui.modelfiles.shards import shards_of

CHUNK_BYTES: Final = 2**20
BODY: Final = "body:"
"""Before the path in the key of a hash that leaves out the safetensors header."""
LEGACY: Final = "legacy:"
"""The same of A1111's old hash."""
LEGACY_START: Final = 0x100000
LEGACY_BYTES: Final = 0x10000
LEGACY_DIGITS: Final = 8


@dataclass(frozen=True, kw_only=True)
class Hashes:
    """What a model is called by programs that name files by their contents. `body` leaves out the
    safetensors header; it and `legacy` are empty where nobody uses them."""

    whole: str
    body: str = ""
    legacy: str = ""


class HashCache:
    """Hashes by path, valid as long as size and time of change stay. Usable from any thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Ends the connection with `close`."""
        self._lock = threading.Lock()
        self._connection = connection

    def all(self) -> dict[str, tuple[str, str]]:
        """Stamp and hash of every file by its path; whether the stamp still holds is not looked
        at."""
        with self._lock:
            rows = self._connection.execute("SELECT key, stamp, sha256 FROM hash").fetchall()
        return {str(key): (str(stamp), str(sha256)) for key, stamp, sha256 in rows}

    def known(self, path: Path) -> str | None:
        """The hash of a model if it has been computed and the files have not changed since."""
        return self._known(str(path), look(path).stamp)

    def known_body(self, path: Path) -> str | None:
        """As `known`, of the weights alone."""
        return self._known(BODY + str(path), look(path).stamp)

    def compute(self, path: Path) -> str:
        """The hash of a model, read from disk unless it is known. Raises OSError."""
        return self._computed(str(path), path, 0)

    def compute_body(self, path: Path) -> str:
        """The hash of a safetensors file's weights, its header left out, as kohya's trainer names
        networks. Raises OSError."""
        return self._computed(BODY + str(path), path, weights_offset(path))

    def legacy(self, path: Path) -> str:
        """A1111's old hash of a file. Raises OSError."""
        stamp = look(path).stamp
        if (known := self._known(LEGACY + str(path), stamp)) is None:
            known = legacy_hash(path)
            self._keep([(LEGACY + str(path), stamp, known)])
        return known

    def has_all(self, path: Path, has_body: bool) -> bool:
        """Whether nothing is left to compute of a model, the hash of its weights alone included if
        it `has_body`. Raises OSError."""
        return self.known(path) is not None and not (has_body and self.known_body(path) is None)

    def keep(self, path: Path, stamp: str, hashes: Hashes) -> None:
        """Keep what was computed while a model had this stamp."""
        keys = {"": hashes.whole, BODY: hashes.body, LEGACY: hashes.legacy}
        self._keep([(mark + str(path), stamp, value) for mark, value in keys.items() if value])

    def matching(self, prefix: str) -> list[Path]:
        """The files whose hash, with or without header, begins so and still holds."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT key, stamp FROM hash WHERE sha256 >= ? AND sha256 < ?",
                (prefix, f"{prefix}g"),
            ).fetchall()
        found = [
            (Path(str(key).removeprefix(BODY)), str(stamp))
            for key, stamp in rows
            if not str(key).startswith(LEGACY)
        ]
        return [path for path, stamp in found if path.exists() and look(path).stamp == stamp]

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()

    def _known(self, key: str, stamp: str) -> str | None:
        with self._lock:
            row = self._connection.execute(
                "SELECT sha256 FROM hash WHERE key = ? AND stamp = ?", (key, stamp)
            ).fetchone()
        return str(row[0]) if row else None

    def _computed(self, key: str, path: Path, offset: int) -> str:
        stamp = look(path).stamp
        if (known := self._known(key, stamp)) is not None:
            return known
        sha256 = _sha256(weight_files(path), offset)
        self._keep([(key, stamp, sha256)])
        return sha256

    def _keep(self, rows: list[tuple[str, str, str]]) -> None:
        with self._lock:
            self._connection.executemany("INSERT OR REPLACE INTO hash VALUES (?, ?, ?)", rows)


@dataclass(frozen=True, kw_only=True)
class Look:
    """What the disk says of a model's weight files. `stamp` changes when they do; `modified` is
    in seconds since 1970."""

    stamp: str
    size_bytes: int
    modified: float


def look(path: Path) -> Look:
    """The weight files of a model as they are now. Raises OSError."""
    stats = [(file, file.stat()) for file in weight_files(path)]
    return Look(
        stamp=";".join(f"{file.name}:{stat.st_size}:{stat.st_mtime_ns}" for file, stat in stats),
        size_bytes=sum(stat.st_size for _, stat in stats),
        modified=max((stat.st_mtime for _, stat in stats), default=0.0),
    )


def weight_files(path: Path) -> list[Path]:
    """The weight files of a model: itself, its shards, or those of a diffusers folder, in a fixed
    order."""
    if path.is_dir():
        return sorted({*path.rglob("*.safetensors"), *pickles_in(path)})
    shards = shards_of(path)
    return [path] if shards is None else list(shards.present)


def legacy_hash(path: Path) -> str:
    """The 8 digits by which A1111 named checkpoints until 2022: of 64 KiB in their middle."""
    with path.open("rb") as file:
        file.seek(LEGACY_START)
        return hashlib.sha256(file.read(LEGACY_BYTES)).hexdigest()[:LEGACY_DIGITS]


def _sha256(files: Iterable[Path], offset: int) -> str:
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            file.seek(offset)
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
    return digest.hexdigest()
