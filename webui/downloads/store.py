"""The list of downloads, which outlives the server."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from webui.core.codec import from_json, to_json
from webui.core.database import Database
from webui.core.errors import NotFound
from webui.downloads.download import Download

MIGRATIONS: Final = (
    "CREATE TABLE download (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, "
    "record TEXT NOT NULL)",
)


class DownloadStore:
    """Downloads by id, in the order in which they were asked for. Usable from any thread."""

    def __init__(self, path: Path) -> None:
        self._database: Final = Database(
            path,
            MIGRATIONS,
            what="The list of downloads",
            loss="Ask for the models again that were being downloaded.",
        )

    def all(self) -> list[Download]:
        """All downloads, the oldest first."""
        rows = self._database.rows("SELECT record FROM download ORDER BY number")
        return [from_json(Download, str(record)) for (record,) in rows]

    def get(self, id: str) -> Download:
        """One download. Raises NotFound."""
        rows = self._database.rows("SELECT record FROM download WHERE id = ?", id)
        if not rows:
            raise NotFound("download", id)
        return from_json(Download, str(rows[0][0]))

    def add(self, download: Download) -> None:
        """Keep a new download. Raises DiskFull."""
        with self._database.changing() as connection:
            connection.execute(
                "INSERT INTO download (id, record) VALUES (?, ?)",
                (download.id, to_json(download)),
            )

    def save(self, download: Download) -> None:
        """Keep what changed of a download; nothing if it was removed. Raises DiskFull."""
        with self._database.changing() as connection:
            connection.execute(
                "UPDATE download SET record = ? WHERE id = ?", (to_json(download), download.id)
            )

    def remove(self, id: str) -> None:
        """Forget a download. Raises DiskFull."""
        with self._database.changing() as connection:
            connection.execute("DELETE FROM download WHERE id = ?", (id,))

    def close(self) -> None:
        """Close the file."""
        self._database.close()
