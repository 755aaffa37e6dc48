"""Pictures on their way in and out: base64, with or without what a browser puts before it."""

from __future__ import annotations

import base64
import binascii
import io
import re
from typing import Final

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from webui.api.sdapi.errors import no_picture
from webui.imaging.upload import open_upload

_PREFIX: Final = re.compile(r"data:[\w.+-]*/?[\w.+-]*(?:;[\w=.+-]+)*,", re.ASCII)
_LONGEST_PREFIX: Final = 200
SPACES: Final = " \t\r\n"
"""Encoders put them between lines."""


def read_base64(text: str) -> bytes:
    """The file behind raw base64 or a data URI. A web address is refused: what programs send may
    not make this server ask others. Raises Refused."""
    if text[:8].lower().startswith(("http://", "https://")):
        raise no_picture("A web address is not fetched here. Send the picture itself, in base64.")
    if match := _PREFIX.match(text[:_LONGEST_PREFIX]):
        text = text[match.end() :]
    for sign in SPACES:
        text = text.replace(sign, "")  # no copy where there is none
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise no_picture("It is no base64. Send a PNG, JPEG or WebP file in base64.") from error
    if not data:
        raise no_picture("It is empty. Send a PNG, JPEG or WebP file in base64.")
    return data


def write_base64(data: bytes) -> str:
    """A file as raw base64, as A1111 sends it."""
    return base64.b64encode(data).decode("ascii")


def as_png(picture: Image.Image, infotext: str = "") -> bytes:
    """A picture as PNG, with A1111's text in it if there is one."""
    texts = PngInfo()
    if infotext:
        texts.add_text("parameters", infotext)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", pnginfo=texts, compress_level=1)
    return buffer.getvalue()


def enlarged(jpeg: bytes, size: tuple[int, int]) -> Image.Image:
    """A rough look at a picture, as large as the picture would have been."""
    return open_upload(jpeg).convert("RGB").resize(size)
