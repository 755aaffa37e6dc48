"""A picture as the bytes of a file with its recipe inside, and the texts in such a file.

| format | A1111's text | our record (JSON) |
|---|---|---|
| PNG | text chunk `parameters` | text chunk `gesso` |
| JPEG, WebP | EXIF UserComment | XMP property `gesso:record` |

XMP is read as attribute or element, because picture editors that keep it may rewrite it.
"""

from __future__ import annotations

import io
import logging
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from xml.sax.saxutils import quoteattr

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from webui.core.codec import from_json, to_json
from webui.core.errors import InvalidRequest
from webui.core.job import LOCAL, JobId, PersonId
from webui.core.recipe import Recipe
from webui.imaging.infotext import Labels, write_infotext
from webui.imaging.upload import UNREADABLE, open_header

log = logging.getLogger(__name__)

SCHEMA: Final = 1
MAX_TEXT_CHARS: Final = 256_000
"""No text of ours is longer (prompts have a limit); a longer one in a file is not read."""
MAX_FOREIGN_CHARS: Final = 4_000_000
"""Graphs of ComfyUI with hundreds of nodes have some 100,000."""
PNG_LEVEL: Final = 4
"""benchmarks/png_level.py, 1152x1152 of drawn pictures: 1076 KiB in 60 ms at level 1, 962 in 90 at
level 4, 947 in 151 at level 6; grain as in photographs gains nothing above 4."""
A1111_KEY: Final = "parameters"
RECORD_KEY: Final = "gesso"

_EXIF_FOLDER: Final = 0x8769
_USER_COMMENT: Final = 0x9286
_CAMERA_TAGS: Final = (0x010F, 0x0110)
"""Make and Model, where ComfyUI puts its graph in a WebP."""
_UNICODE: Final = b"UNICODE\0"
_NAMESPACE: Final = "urn:x-gesso:1.0:"
_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XMP: Final = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    f'<rdf:RDF xmlns:rdf="{_RDF}">'
    f'<rdf:Description rdf:about="" xmlns:gesso="{_NAMESPACE}" gesso:record=%s/>'
    "</rdf:RDF></x:xmpmeta>"
)
_NOT_IN_XML: Final = re.compile("[\ufffe\uffff]")


@dataclass(frozen=True, kw_only=True)
class PictureRecord:
    """What is written into a picture: enough to make it again and to rebuild the gallery."""

    recipe: Recipe
    job_id: JobId
    index: int
    created_at: float
    owner: PersonId = LOCAL
    facts: Mapping[str, str] = field(default_factory=dict)
    schema: int = SCHEMA


@dataclass(frozen=True, kw_only=True)
class PictureFormat:
    """How pictures are to be saved: "png", "jpeg" or "webp". PNG has no quality."""

    name: str = "png"
    quality: int = 92


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """The bytes of a picture file and the suffix that they ask for, with its dot."""

    data: bytes
    suffix: str


@dataclass(frozen=True, kw_only=True)
class PictureText:
    """The texts of a file: our record if it has one, and A1111's text, "" if it has none.
    With them the picture's size in pixels."""

    record: PictureRecord | None
    infotext: str
    width: int
    height: int


def encode_picture(
    image: Image.Image, record: PictureRecord, labels: Labels, format: PictureFormat
) -> Encoded:
    """The picture as a file that carries `record` and A1111's text of it.

    A JPEG has room for about 64 kB of each text; a picture with more becomes a PNG.
    """
    infotext, text = write_infotext(record.recipe, labels, record.facts), to_json(record)
    try:
        match format.name:
            case "jpeg":
                return Encoded(data=_jpeg(image, infotext, text, format.quality), suffix=".jpg")
            case "webp":
                return Encoded(data=_webp(image, infotext, text, format.quality), suffix=".webp")
    except _TextTooLong:
        log.warning("The prompt of a picture does not fit into a JPEG. It is saved as PNG.")
    return Encoded(data=_png(image, infotext, text), suffix=".png")


def read_picture_text(source: bytes | Path) -> PictureText:
    """The texts in a PNG, JPEG or WebP, given as bytes or as a file; decodes no pixels.

    Raises UnreadablePicture if it isn't one, OSError if the file can't be read. A text that makes
    no sense counts as none.
    """
    with open_header(source) as image:
        infotext, record = _png_texts(image) if image.format == "PNG" else _exif_texts(image)
        width, height = image.size
    return PictureText(record=_record(record), infotext=infotext, width=width, height=height)


def read_recipe(data: bytes) -> Recipe | None:
    """Our recipe in the bytes of a picture, None if there is none."""
    record = read_picture_text(data).record
    return None if record is None else record.recipe


class _TextTooLong(Exception):
    """A text that a file format has no room for."""


def _png(image: Image.Image, infotext: str, record: str) -> bytes:
    texts = PngInfo()
    texts.add_text(A1111_KEY, infotext)
    texts.add_text(RECORD_KEY, record)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=texts, compress_level=PNG_LEVEL)
    return buffer.getvalue()


def _jpeg(image: Image.Image, infotext: str, record: str, quality: int) -> bytes:
    """Full colour resolution from quality 90 on: halved colour shows at the edges of red."""
    exif, xmp = _exif(infotext), _xmp(record)
    if len(exif) > 65_500 or len(xmp) > 65_400:
        raise _TextTooLong
    buffer = io.BytesIO()
    subsampling = "4:4:4" if quality >= 90 else "4:2:0"
    image.save(buffer, "JPEG", quality=quality, subsampling=subsampling, exif=exif, xmp=xmp)
    return buffer.getvalue()


def _webp(image: Image.Image, infotext: str, record: str, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=quality, exif=_exif(infotext), xmp=_xmp(record))
    return buffer.getvalue()


def _exif(infotext: str) -> bytes:
    """Big-endian UTF-16, which is what readers of A1111's files expect."""
    exif = Image.Exif()
    exif.get_ifd(_EXIF_FOLDER)[_USER_COMMENT] = _UNICODE + infotext.encode("utf-16-be")
    return exif.tobytes()


def _xmp(record: str) -> bytes:
    safe = _NOT_IN_XML.sub(lambda sign: f"\\u{ord(sign[0]):04x}", record)
    return (_XMP % quoteattr(safe)).encode()


def all_texts(image: Image.Image) -> dict[str, str]:
    """Every text of a file by its name in it, whichever program wrote it: PNG's text chunks, the
    user comment of others as `parameters`, and ComfyUI's graph from where a WebP has it."""
    texts = {
        name: text
        for name, text in image.info.items()
        if isinstance(name, str) and isinstance(text, str) and len(text) <= MAX_FOREIGN_CHARS
    }
    comment, _ = _exif_texts(image)
    if comment and A1111_KEY not in texts:
        texts[A1111_KEY] = comment
    exif = image.getexif()
    for tag in _CAMERA_TAGS:
        name, colon, text = str(exif.get(tag, "")).partition(":")
        if colon and name.lower() in ("prompt", "workflow"):
            texts.setdefault(name.lower(), text[:MAX_FOREIGN_CHARS])
    return texts


def _png_texts(image: Image.Image) -> tuple[str, str]:
    return _text(image.info.get(A1111_KEY)), _text(image.info.get(RECORD_KEY))


def _exif_texts(image: Image.Image) -> tuple[str, str]:
    try:
        comment = image.getexif().get_ifd(_EXIF_FOLDER).get(_USER_COMMENT)
    except UNREADABLE:
        comment = None
    return _user_comment(comment), _xmp_record(image.info.get("xmp"))


def _text(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= MAX_TEXT_CHARS else ""


def _user_comment(value: object) -> str:
    """Other programs write it in either byte order, or as plain ASCII."""
    if not isinstance(value, bytes) or len(value) > 2 * MAX_TEXT_CHARS:
        return ""
    code, body = value[:8], value[8:]
    if code != _UNICODE:
        return body.decode("ascii", errors="replace") if code == b"ASCII\0\0\0" else ""
    is_little = body[:64:2].count(0) < body[1:64:2].count(0)
    return body.decode("utf-16-le" if is_little else "utf-16-be", errors="replace")


def _xmp_record(value: object) -> str:
    """A document that declares entities is not read: they can make a short text a huge one."""
    if not isinstance(value, bytes) or len(value) > 4 * MAX_TEXT_CHARS or b"<!" in value:
        return ""
    try:
        root = ElementTree.fromstring(value)
    except (ElementTree.ParseError, ValueError, LookupError):
        return ""
    name = f"{{{_NAMESPACE}}}record"
    for node in root.iter():
        if text := node.get(name) or (node.text if node.tag == name else None):
            return _text(text)
    return ""


def _record(text: str) -> PictureRecord | None:
    if not text:
        return None
    try:
        record = from_json(PictureRecord, text)
    except InvalidRequest as error:
        log.debug("A picture's record can't be read: %s", error)
        return None
    return record if record.schema <= SCHEMA else None
