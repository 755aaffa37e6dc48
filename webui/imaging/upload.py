"""Opening a picture that came from outside: three formats, size told before anything is decoded."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps

from webui.core.errors import UnreadablePicture

FORMATS: Final = ("PNG", "JPEG", "WEBP")
MAX_PIXELS: Final = 64_000_000
MAX_BYTES: Final = 64 * 2**20

UNREADABLE: Final = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    TypeError,
    LookupError,
    ArithmeticError,
    struct.error,
    MemoryError,
    UserWarning,
)
"""What Pillow raises on damaged files, seen on mutated ones; UserWarning where warnings raise."""
_BOMB: Final = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def open_upload(
    data: bytes, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES
) -> Image.Image:
    """The decoded picture, turned upright by its EXIF orientation, in its own mode.

    Raises UnreadablePicture: not PNG, JPEG or WebP, too large, damaged or cut off.
    """
    image = open_header(data, max_pixels, max_bytes)
    try:
        image.load()
    except UNREADABLE as error:
        raise UnreadablePicture(
            f"The picture is damaged or cut off ({_size(image)}). Save or download it again."
        ) from error
    return _upright(image)


def open_header(
    source: bytes | Path, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES
) -> Image.Image:
    """The picture with its size and texts known but no pixel decoded. Raises as `open_upload`.

    Of a file no more is read than that takes; close the picture to close the file.
    """
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    if size > max_bytes:
        raise UnreadablePicture(
            f"The file has {size / 2**20:.0f} MiB; the limit is {max_bytes // 2**20} MiB. "
            "Make the picture smaller."
        )
    try:
        opened = io.BytesIO(source) if isinstance(source, bytes) else source
        image = Image.open(opened, formats=FORMATS)
    except _BOMB as error:
        raise _too_many_pixels("More pixels than can be opened", max_pixels) from error
    except UNREADABLE as error:
        raise UnreadablePicture(
            "The file is not a picture that can be opened, or it is damaged. "
            "Use a PNG, JPEG or WebP file."
        ) from error
    if image.width * image.height > max_pixels:
        raise _too_many_pixels(_size(image), max_pixels)
    return image


def media_type(data: bytes) -> str:
    """What to tell a browser that these bytes are; only ever one of the three formats."""
    if data.startswith(b"\x89PNG"):
        return "image/png"
    return "image/webp" if data[8:12] == b"WEBP" else "image/jpeg"


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except UNREADABLE:
        return image  # the pixels are whole; only the note on how to turn them is not


def _size(image: Image.Image) -> str:
    return f"{image.width}×{image.height}"


def _too_many_pixels(size: str, max_pixels: int) -> UnreadablePicture:
    return UnreadablePicture(
        f"The picture is too large: {size}. The limit is {max_pixels / 1e6:g} million pixels. "
        "Make it smaller."
    )
