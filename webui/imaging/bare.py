"""A picture without its words: what it shows, and nothing of how it was made."""

from __future__ import annotations

import io
from pathlib import Path

from webui.imaging.upload import open_upload


def bare_png(path: Path) -> bytes:
    """The pixels of a picture file as a PNG that carries no text, no profile and no EXIF.

    Raises UnreadablePicture if it is none, OSError.
    """
    picture = open_upload(path.read_bytes())
    picture.info = {}
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
