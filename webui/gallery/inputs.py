"""Pictures that people put in: stored once, named by their own bytes, never changed."""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path
from typing import Final

from PIL import Image

from webui.core.errors import NotFound
from webui.core.files import write_atomic
from webui.core.request import InputId
from webui.gallery.room import full_disk_named
from webui.imaging.upload import open_upload

_ID: Final = re.compile(r"[0-9a-f]{64}")


class InputStore:
    """A folder of uploaded pictures. Usable from any thread, and by several programs at once."""

    def __init__(self, folder: Path) -> None:
        self._folder: Final = folder

    def add(self, data: bytes) -> InputId:
        """Keep an uploaded file as it is, on disk when this returns.

        Raises UnreadablePicture when it is no picture that can be opened, DiskFull.
        """
        open_upload(data)
        return self._keep(data)

    def add_image(self, image: Image.Image) -> InputId:
        """Keep a picture as PNG; the same pixels get the same id. Raises DiskFull."""
        buffer = io.BytesIO()
        bare = image.copy()
        bare.info = {}
        bare.save(buffer, "PNG", compress_level=1)
        return self._keep(buffer.getvalue())

    def path(self, id: InputId) -> Path:
        """The file of an upload. Raises NotFound, also for what is no id at all."""
        path = self._folder / id[:2] / id
        if not _ID.fullmatch(id) or not path.is_file():
            raise NotFound("uploaded picture", id)
        return path

    def open(self, id: InputId) -> Image.Image:
        """The picture, decoded and upright. Raises NotFound."""
        return open_upload(self.path(id).read_bytes())

    def _keep(self, data: bytes) -> InputId:
        id = InputId(hashlib.sha256(data).hexdigest())
        path = self._folder / id[:2] / id
        if not path.is_file():
            with full_disk_named(self._folder):
                write_atomic(path, data)
        return id
