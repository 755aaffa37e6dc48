"""Pictures that people put in: stored once, named by their own bytes, never changed, and there
until everybody who put them in has deleted them.

Two people who put in the same bytes share the file, and neither learns that: whose it is, is
written down apart.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from PIL import Image

from webui.core.database import Database
from webui.core.errors import NotFound
from webui.core.files import write_atomic
from webui.core.job import LOCAL, PersonId
from webui.core.request import InputId
from webui.gallery.room import full_disk_named
from webui.imaging.upload import open_upload

DECODED_AT_ONCE: Final = 4
"""A small file may become a picture of 256 MB, and forty requests are at work at a time."""

_ID: Final = re.compile(r"[0-9a-f]{64}")
_SCHEMA: Final = """
CREATE TABLE input_owner (
    id TEXT NOT NULL,
    owner TEXT NOT NULL,
    PRIMARY KEY (id, owner)
) WITHOUT ROWID
"""
_WHOSE: Final = "SELECT owner FROM input_owner WHERE id = ?"
_THEIRS: Final = "SELECT id FROM input_owner WHERE owner = ?"
_LOSS: Final = "The pictures that were put in are only the owner's to use again."


class InputStore:
    """A folder of uploaded pictures. Usable from any thread, and by several programs at once."""

    def __init__(
        self, folder: Path, owners: Path, admit: Callable[[PersonId], None] = lambda _: None
    ) -> None:
        """`owners` is the file that says whose they are; it is made if it is not there. `admit`
        raises LimitReached for somebody who may put in no more."""
        self._folder: Final = folder
        self._admit: Final = admit
        self._sizes: Final[dict[InputId, int]] = {}
        self._decoding: Final = threading.Semaphore(DECODED_AT_ONCE)
        self._owners: Final = Database(owners, (_SCHEMA,), what="The list of uploads", loss=_LOSS)

    def close(self) -> None:
        """Close the list."""
        self._owners.close()

    def add(self, data: bytes, owner: PersonId = LOCAL) -> InputId:
        """Keep an uploaded file as it is, on disk when this returns.

        Raises UnreadablePicture when it is no picture that can be opened, LimitReached, DiskFull.
        """
        self._admit(owner)
        with self._decoding:
            open_upload(data)
        return self._keep(data, owner)

    def add_image(self, image: Image.Image, owner: PersonId = LOCAL) -> InputId:
        """Keep a picture as PNG; the same pixels get the same id. Raises DiskFull."""
        buffer = io.BytesIO()
        bare = image.copy()
        bare.info = {}
        bare.save(buffer, "PNG", compress_level=1)
        return self._keep(buffer.getvalue(), owner)

    def is_of(self, id: InputId, person: PersonId) -> bool:
        """Whether a person put it in. What nobody is written down for is the owner's: it is older
        than the list."""
        owners = {owner for (owner,) in self._owners.rows(_WHOSE, id)}
        return person in (owners or {LOCAL})

    def bytes_of(self, person: PersonId) -> int:
        """What a person's take on the disk. Each file is looked at once: they never change."""
        return sum(map(self.size, self.of(person)))

    def of(self, person: PersonId) -> list[InputId]:
        """All that a person put in."""
        return [InputId(id) for (id,) in self._owners.rows(_THEIRS, person)]

    def size(self, id: InputId) -> int:
        """The bytes of an upload; 0 for one that was deleted by hand."""
        known = self._sizes.get(id)
        if known is None:
            try:
                known = self.path(id).stat().st_size
            except (NotFound, OSError):
                return 0
            self._sizes[id] = known
        return known

    def put_in_at(self, id: InputId) -> float:
        """When somebody put it in last, in seconds since 1970; 0 for one that isn't there."""
        try:
            return self.path(id).stat().st_mtime
        except (NotFound, OSError):
            return 0

    def delete(self, id: InputId, person: PersonId) -> None:
        """Forget that a person put it in; the file goes with the last who did. Raises DiskFull."""
        path = self._folder / id[:2] / id
        with self._owners.changing() as rows:  # whoever puts it in again waits, and then looks
            rows.execute("DELETE FROM input_owner WHERE id = ? AND owner = ?", (id, person))
            if not rows.execute(_WHOSE, (id,)).fetchall():
                with contextlib.suppress(OSError):  # it is deleted by hand, or read just now
                    path.unlink()
                self._sizes.pop(id, None)

    def path(self, id: InputId) -> Path:
        """The file of an upload. Raises NotFound, also for what is no id at all."""
        path = self._folder / id[:2] / id
        if not _ID.fullmatch(id) or not path.is_file():
            raise NotFound("uploaded picture", id)
        return path

    def open(self, id: InputId) -> Image.Image:
        """The picture, decoded and upright. Raises NotFound."""
        data = self.path(id).read_bytes()
        with self._decoding:
            return open_upload(data)

    def _keep(self, data: bytes, owner: PersonId) -> InputId:
        id = InputId(hashlib.sha256(data).hexdigest())
        self._write(id, data)
        with self._owners.changing() as rows:
            rows.execute("INSERT OR IGNORE INTO input_owner VALUES (?, ?)", (id, owner))
        self._write(id, data)  # the last who had it may have deleted it meanwhile
        return id

    def _write(self, id: InputId, data: bytes) -> None:
        path = self._folder / id[:2] / id
        try:
            os.utime(path)  # `put_in_at`
        except FileNotFoundError:
            with full_disk_named(self._folder):
                write_atomic(path, data)
        except OSError:  # it is somebody else's file on this machine, but there
            pass
