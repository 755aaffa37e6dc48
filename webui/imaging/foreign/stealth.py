"""Texts that are hidden in the lowest bits of a picture's pixels: NovelAI and Forge write them, so
that they survive where texts are taken out.

Column by column: a signature of 15 characters, the length of what follows in bits (32 bits, big
end first), then the text, plain or as gzip, in UTF-8.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from webui.imaging.foreign.reader import PARAMETERS, json_of

LONGEST_BYTES: Final = 1 << 20
SIGNATURE_BITS: Final = 15 * 8
LENGTH_BITS: Final = 32
_KINDS: Final = MappingProxyType(
    {
        b"stealth_pnginfo": ("A", False),
        b"stealth_pngcomp": ("A", True),
        b"stealth_rgbinfo": ("RGB", False),
        b"stealth_rgbcomp": ("RGB", True),
    }
)

Bits = npt.NDArray[np.uint8]


def hidden_texts(image: Image.Image) -> Mapping[str, str]:
    """The texts that hide in a picture, by name; empty for most pictures, and for what is no
    longer whole."""
    for channels in ("A", "RGB"):
        if set(channels) <= set(image.getbands()):
            text = _text(image, channels)
            if text is not None:
                return _named(text)
    return {}


def _text(image: Image.Image, channels: str) -> str | None:
    head = _bits(image, channels, SIGNATURE_BITS + LENGTH_BITS)
    kind = _KINDS.get(np.packbits(head[:SIGNATURE_BITS]).tobytes())
    if kind is None or kind[0] != channels:
        return None
    length = int.from_bytes(np.packbits(head[SIGNATURE_BITS:]).tobytes(), "big")
    if not 0 < length <= 8 * LONGEST_BYTES:
        return None
    bits = _bits(image, channels, SIGNATURE_BITS + LENGTH_BITS + length)
    data = np.packbits(bits[SIGNATURE_BITS + LENGTH_BITS :]).tobytes()
    return _decoded(data, is_packed=kind[1])


def _bits(image: Image.Image, channels: str, count: int) -> Bits:
    """The first `count` lowest bits, column by column, channels in turn."""
    columns = min(image.width, count // (image.height * len(channels)) + 1)
    part = image.crop((0, 0, columns, image.height))
    planes = [np.asarray(part.getchannel(name)) for name in channels]
    return (np.stack(planes, axis=-1).transpose(1, 0, 2).reshape(-1)[:count] & 1).astype(np.uint8)


def _decoded(data: bytes, *, is_packed: bool) -> str | None:
    try:
        if is_packed:
            data = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(data, LONGEST_BYTES)
        return data.decode("utf-8")
    except (zlib.error, UnicodeDecodeError):
        return None


def _named(text: str) -> Mapping[str, str]:
    """NovelAI hides all its texts as one JSON object, Forge just A1111's."""
    named = {name: value for name, value in json_of(text).items() if isinstance(value, str)}
    return named if "Comment" in named else {PARAMETERS: text}
