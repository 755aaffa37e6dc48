"""Where the tensors of a GGUF file lie; its front is believed only as far as it fits the file.

Format: docs/gguf.md of ggml (MIT). Magic "GGUF", version, counts; metadata as typed values; for
each tensor its name, sides (the innermost first), type and offset; then, aligned, the data.
Without torch.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Final, NamedTuple

from webui.core.errors import ModelUnreadable
from webui.core.model import Header, TensorHeader
from webui.families.quantised.schemes.gguf import TYPES
from webui.families.stored import Stored, WeightFile, missing

MAGIC: Final = b"GGUF"
VERSIONS: Final = (2, 3)
MAX_TENSORS: Final = 60_000
MAX_ENTRIES: Final = 10_000
MAX_ITEMS: Final = 800_000
"""Of all lists of texts together: vocabularies of language models have up to 300,000."""
MAX_TEXT_BYTES: Final = 16 * 2**20
MAX_FRONT_BYTES: Final = 64 * 2**20
MAX_DIMENSIONS: Final = 8
MAX_NAME_BYTES: Final = 500
ALIGNMENT: Final = 32
MAX_ALIGNMENT: Final = 2**16
ORIGINAL_SHAPE: Final = "comfy.gguf.orig_shape."
"""Metadata: the shape of a tensor that was laid out anew so that its rows make whole blocks."""

PLAIN: Final = MappingProxyType(
    {"F32": 4, "F16": 2, "BF16": 2, "F64": 8, "I8": 1, "I16": 2, "I32": 4, "I64": 8}
)
"""Bytes of a number."""

TYPE_NAMES: Final = MappingProxyType(
    {
        **dict(enumerate(("F32", "F16", "Q4_0", "Q4_1"))),
        **dict(enumerate(("Q5_0", "Q5_1", "Q8_0", "Q8_1"), 6)),
        **dict(enumerate(("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "Q8_K"), 10)),
        **dict(enumerate(("IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S", "IQ4_NL", "IQ3_S"), 16)),
        **dict(enumerate(("IQ2_S", "IQ4_XS", "I8", "I16", "I32", "I64", "F64", "IQ1_M"), 22)),
        **dict(enumerate(("BF16", "Q4_0_4_4", "Q4_0_4_8", "Q4_0_8_8", "TQ1_0", "TQ2_0"), 30)),
        39: "MXFP4",
    }
)
"""ggml's numbers of types."""

NUMBERS: Final = MappingProxyType(
    {
        0: "B",
        1: "b",
        2: "H",
        3: "h",
        4: "I",
        5: "i",
        6: "f",
        7: "?",
        10: "Q",
        11: "q",
        12: "d",
    }
)
"""How struct writes the types of metadata that are not texts or lists."""
TEXT: Final = 8
LIST: Final = 9


class Span(NamedTuple):
    """Where a tensor lies in its file, in bytes."""

    offset: int
    length: int


@dataclass(frozen=True, kw_only=True)
class GgufFront:
    """Everything before the weights. `tensors` has shapes with the outermost side first, as torch
    and safetensors do, and the types by ggml's names (F16, Q4_K). `metadata` leaves lists out."""

    tensors: Header
    metadata: Mapping[str, str]
    spans: Mapping[str, Span]


class _Refused(ValueError):
    """Why a front is not believed."""


def is_gguf(path: Path) -> bool:
    """Whether a file says of itself that it is one. False for what can't be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def read_gguf_front(path: Path, name: str = "") -> GgufFront:
    """The front of the file at `path`; `name` stands for it in messages. Raises ModelUnreadable
    that says what is wrong."""
    name = name or path.name
    try:
        with path.open("rb") as file:
            return _front(_Cursor(file, path.stat().st_size))
    except FileNotFoundError as error:
        raise missing(name, path) from error
    except OSError as error:
        raise ModelUnreadable(name, f"it can't be read ({error.strerror}).") from error
    except _Refused as error:
        raise ModelUnreadable(name, str(error)) from error


def read_gguf_table(model: str, path: Path) -> tuple[dict[str, Stored], Header]:
    """Where all tensors of a file lie, and what they are. Those in blocks lie there as bytes,
    (blocks, bytes of a block). Raises ModelUnreadable. `model` is its name in messages."""
    front = read_gguf_front(path, model)
    stat = path.stat()
    file = WeightFile(model=model, path=path, size_bytes=stat.st_size, changed_ns=stat.st_mtime_ns)
    table = {}
    for key, tensor in front.tensors.items():
        span, dtype, shape = front.spans[key], tensor.dtype, tensor.shape
        if dtype in TYPES:
            block_bytes = TYPES[dtype].size_bytes
            dtype, shape = "U8", (span.length // block_bytes, block_bytes)
        table[key] = Stored(file=file, offset=span.offset, dtype=dtype, shape=shape)
    return table, front.tensors


class _Cursor:
    """Reads on through the front of a file, never beyond its end or the cap."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file: Final = file
        self.size: Final = size
        self.at = 0

    def take(self, count: int) -> bytes:
        """The next bytes."""
        self._pass(count)
        data = self._file.read(count)
        if len(data) != count:
            raise _Refused("the file is cut short. Download it again.")
        return data

    def skip(self, count: int) -> None:
        """Leave bytes out."""
        self._pass(count)
        self._file.seek(count, 1)

    def number(self, format: str) -> int | float:
        """The next number, as struct calls it."""
        (value,) = struct.unpack("<" + format, self.take(struct.calcsize("<" + format)))
        return float(value) if format in "fd" else int(value)

    def count(self, most: int, what: str) -> int:
        """The next whole number of 8 bytes, if it is not above `most`."""
        value = int(self.number("Q"))
        if value > most:
            raise _Refused(
                f"its front names {value} {what}; no model has more than {most}. It is damaged or "
                "made to harm: remove it."
            )
        return value

    def text(self, most: int = MAX_TEXT_BYTES) -> str:
        """The next text."""
        data = self.take(self.count(most, "bytes of a text"))
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _Refused("a text in it is no UTF-8. Download it again.") from error

    def _pass(self, count: int) -> None:
        self.at += count
        if self.at > min(self.size, MAX_FRONT_BYTES):
            reason = "is cut short" if self.at > self.size else "has a front that is too long"
            raise _Refused(f"the file {reason}. Download it again.")


def _front(cursor: _Cursor) -> GgufFront:
    if cursor.take(len(MAGIC)) != MAGIC:
        raise _Refused("it is no GGUF file. Download it again, or remove it.")
    version = int(cursor.number("I"))
    if version not in VERSIONS:
        raise _Refused(
            f"it is of version {version} of GGUF; only 2 and 3 can be read. Look for a newer file."
        )
    tensors = cursor.count(MAX_TENSORS, "tensors")
    entries = cursor.count(MAX_ENTRIES, "entries")
    metadata, shapes = _metadata(cursor, entries)
    rows = [_row(cursor) for _ in range(tensors)]
    start = _aligned(cursor.at, _alignment(metadata))
    return _placed(rows, shapes, metadata, start, cursor.size)


def _metadata(cursor: _Cursor, entries: int) -> tuple[dict[str, str], dict[str, tuple[int, ...]]]:
    """Single values as texts; and the original shapes of tensors."""
    found: dict[str, str] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    items = MAX_ITEMS
    for _ in range(entries):
        key = cursor.text(MAX_NAME_BYTES)
        type = int(cursor.number("I"))
        if type == TEXT:
            found[key] = cursor.text()
        elif type in NUMBERS:
            found[key] = str(cursor.number(NUMBERS[type]))
        elif type == LIST and key.startswith(ORIGINAL_SHAPE):
            shapes[key.removeprefix(ORIGINAL_SHAPE)] = _shape(cursor)
        elif type == LIST:
            items -= _skip_list(cursor, items)
        else:
            raise _Refused(f"its entry {key} is of the unknown type {type}. Download it again.")
    return found, shapes


def _shape(cursor: _Cursor) -> tuple[int, ...]:
    type = int(cursor.number("I"))
    count = cursor.count(MAX_DIMENSIONS, "sides of a tensor")
    if type not in NUMBERS:
        raise _Refused("the shape of a tensor in it is not of numbers. Download it again.")
    return tuple(int(cursor.number(NUMBERS[type])) for _ in range(count))


def _skip_list(cursor: _Cursor, most: int) -> int:
    """How many items it had that had to be walked one by one."""
    type = int(cursor.number("I"))
    if type in NUMBERS:
        size = struct.calcsize("<" + NUMBERS[type])
        cursor.skip(size * cursor.count(MAX_FRONT_BYTES // size, "numbers in a list"))
        return 0
    if type != TEXT:
        raise _Refused(f"a list in it is of the unknown type {type}. Download it again.")
    count = cursor.count(most, "texts in lists")
    for _ in range(count):
        cursor.skip(int.from_bytes(cursor.take(8), "little"))
    return count


class _Row(NamedTuple):
    name: str
    shape: tuple[int, ...]
    type: str
    offset: int


def _row(cursor: _Cursor) -> _Row:
    name = cursor.text(MAX_NAME_BYTES)
    dimensions = int(cursor.number("I"))
    if dimensions > MAX_DIMENSIONS or not name.isprintable():
        raise _Refused("a tensor in it has an impossible name or shape. Download it again.")
    sides = [int(cursor.number("Q")) for _ in range(dimensions)]
    number = int(cursor.number("I"))
    type = TYPE_NAMES.get(number, f"number {number}")
    if type not in PLAIN and type not in TYPES:
        raise _Refused(
            f"its tensor {name} is of the type {type}, which this version can't read. Look for a "
            "version of Q2_K to Q8_0."
        )
    return _Row(name, tuple(reversed(sides)), type, int(cursor.number("Q")))


def _placed(
    rows: list[_Row],
    shapes: Mapping[str, tuple[int, ...]],
    metadata: Mapping[str, str],
    start: int,
    size: int,
) -> GgufFront:
    """The tensors of these rows in the data from `start`, checked against each other and it."""
    tensors: dict[str, TensorHeader] = {}
    spans: dict[str, Span] = {}
    alignment, end = _alignment(metadata), start
    for row in sorted(rows, key=lambda row: row.offset):
        span = Span(start + row.offset, _size_bytes(row))
        if span.offset < end or row.offset % alignment:
            raise _Refused(f"its tensor {row.name} overlaps another. Download it again.")
        end = span.offset + span.length
        if end > size:
            missing = (end - size) / 2**20
            raise _Refused(
                f"the file is cut short: {missing:.1f} MB are missing. Download it again."
            )
        if row.name in tensors:
            raise _Refused(f"it names the tensor {row.name} twice. Download it again.")
        shape = shapes.get(row.name, row.shape)
        if prod(shape) != prod(row.shape) or min(shape, default=1) < 1:
            raise _Refused(
                f"its tensor {row.name} can't have the shape {shape}. Download it again."
            )
        tensors[row.name] = TensorHeader(dtype=row.type, shape=shape)
        spans[row.name] = span
    ordered = {row.name: tensors[row.name] for row in rows}
    return GgufFront(tensors=ordered, metadata=dict(metadata), spans=spans)


def _size_bytes(row: _Row) -> int:
    count = prod(row.shape)
    if row.type in PLAIN:
        return count * PLAIN[row.type]
    block = TYPES[row.type]
    if not row.shape or row.shape[-1] % block.weights:
        raise _Refused(
            f"its tensor {row.name} of the shape {row.shape} can't be of the type {row.type}. "
            "Download it again."
        )
    return count // block.weights * block.size_bytes


def _alignment(metadata: Mapping[str, str]) -> int:
    said = metadata.get("general.alignment", str(ALIGNMENT))
    value = int(said) if said.isdecimal() and len(said) < 10 else 0
    if not 0 < value <= MAX_ALIGNMENT or value % 8:
        raise _Refused(f"its alignment {said[:20]} is impossible. Download it again.")
    return value


def _aligned(offset: int, alignment: int) -> int:
    return -(-offset // alignment) * alignment
