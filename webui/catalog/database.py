"""The catalog's SQLite file: what was found in files, and their hashes. All can be found again."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from webui.core.database import connect, open_database

MIGRATIONS: Final = (
    # "if not exists": the first versions made the table of hashes without counting versions
    """
    CREATE TABLE IF NOT EXISTS hash (key TEXT PRIMARY KEY, stamp TEXT, sha256 TEXT);
    CREATE INDEX IF NOT EXISTS hash_by_value ON hash (sha256);
    CREATE TABLE IF NOT EXISTS finding
        (path TEXT PRIMARY KEY, stamp TEXT, rules TEXT, finding TEXT);
    """,
)


def open_catalog(path: Path) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    """Two connections to the file at `path`, for hashes and for findings, so that nobody waits for
    a list while a hash is stored."""
    loss = "Model files are looked at again, and hashes computed when they are needed."
    first = open_database(path, MIGRATIONS, loss=loss, is_durable=False)
    return first, connect(path)
