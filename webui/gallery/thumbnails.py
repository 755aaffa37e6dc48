"""Small pictures for the pages: WebP, made when a picture is saved or when first asked for.

They are a cache: none is worth a wait for the disk, and a damaged one is made again.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

from PIL import Image

from webui.core.files import TEMP_PREFIX

LONGEST_SIDE: Final = 384
QUALITY: Final = 80


class Thumbnails:
    """A folder of thumbnails, named by the ids of their pictures. Usable from any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder: Final = folder

    def get(self, id: str, load: Callable[[], Image.Image]) -> Path:
        """The thumbnail's file; `load` gives the picture when it has to be made. Raises OSError."""
        path = self._path(id)
        return path if _is_whole(path) else self.make(id, load())

    def make(self, id: str, image: Image.Image) -> Path:
        """Write the thumbnail of a picture; its file. Raises OSError."""
        small = image.convert("RGB")
        small.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        small.save(buffer, "WEBP", quality=QUALITY, method=2)
        path = self._path(id)
        path.parent.mkdir(parents=True, exist_ok=True)
        temp = path.with_name(f"{TEMP_PREFIX}{id}-{os.urandom(4).hex()}")
        try:
            temp.write_bytes(buffer.getvalue())
            os.replace(temp, path)
        except OSError:
            temp.unlink(missing_ok=True)
            raise
        return path

    def remove(self, id: str) -> None:
        """Forget a thumbnail, if there is one."""
        self._path(id).unlink(missing_ok=True)

    def _path(self, id: str) -> Path:
        return self._folder / id[:2] / f"{id}.webp"


def _is_whole(path: Path) -> bool:
    """A power cut may have left a file of the right name without its bytes."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
            size = os.fstat(file.fileno()).st_size
    except OSError:
        return False
    return head[8:] == b"WEBP" and struct.unpack("<I", head[4:8])[0] + 8 == size
