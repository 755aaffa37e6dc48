"""Where the files in a zip archive lie, for those that are stored as they are.

Not zipfile: that reads a table of any size, unpacks, and takes two files at the same place. What
torch writes is a plain row of unpacked files, and only that is read here.
(PKWARE, APPNOTE.TXT 6.3.10, sections 4.3 and 4.4)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Final

from webui.modelfiles.damage import Damage

END: Final = struct.Struct("<4s4H2LH")
END_MAGIC: Final = b"PK\x05\x06"
LOCATOR: Final = struct.Struct("<4sLQL")
END64: Final = struct.Struct("<4sQ2H2L4Q")
ENTRY: Final = struct.Struct("<4s6H3L5H2L")
LOCAL: Final = struct.Struct("<4s5H3L2H")
MAX_COMMENT: Final = 0xFFFF
MAX_TABLE_BYTES: Final = 32 * 2**20
MAX_ENTRIES: Final = 100_000
IS_LOCKED: Final = 1
"""The flag of an encrypted file."""
TOO_LARGE: Final = 0xFFFFFFFF
"""In place of a number that is in the 64-bit field."""
EXTRA64: Final = 1


@dataclass(frozen=True, kw_only=True)
class Stored:
    """The bytes of one file of an archive."""

    offset: int
    size: int


def stored_files(file: IO[bytes]) -> Mapping[str, Stored]:
    """All files of the archive by name. Raises Damage."""
    size = file.seek(0, 2)
    count, table_bytes, table_at = _end(file, size)
    if count > MAX_ENTRIES or table_bytes > MAX_TABLE_BYTES:
        raise Damage(f"it holds {count} files; {MAX_ENTRIES} are the most. Remove it.")
    file.seek(table_at)
    table = file.read(table_bytes)
    found: dict[str, Stored] = {}
    for name, stored in _entries(file, table, size):
        if name in found:
            raise Damage("two files in it have the same name. Remove it.")
        found[name] = stored
    if len(found) != count:
        raise Damage("its table of contents is damaged. Download it again.")
    return found


def _end(file: IO[bytes], size: int) -> tuple[int, int, int]:
    """How many entries, how long their table is and where."""
    tail_at = max(0, size - END.size - MAX_COMMENT)
    file.seek(tail_at)
    tail = file.read()
    place = tail.rfind(END_MAGIC)
    if place < 0 or len(tail) - place < END.size:
        raise Damage("it is cut short. Download it again.")
    _, _, _, _, count, table_bytes, table_at, _ = END.unpack_from(tail, place)
    at = tail_at + place - LOCATOR.size
    if at >= 0:
        file.seek(at)
        locator = LOCATOR.unpack(file.read(LOCATOR.size))
        if locator[0] == b"PK\x06\x07":
            return _end64(file, locator[2])
    return count, table_bytes, table_at


def _end64(file: IO[bytes], at: int) -> tuple[int, int, int]:
    file.seek(at)
    fields = END64.unpack(file.read(END64.size))
    if fields[0] != b"PK\x06\x06":
        raise Damage("its table of contents is damaged. Download it again.")
    return fields[7], fields[8], fields[9]


def _entries(file: IO[bytes], table: bytes, size: int) -> Iterator[tuple[str, Stored]]:
    at = 0
    while at < len(table):
        fields = ENTRY.unpack_from(table, at)
        if fields[0] != b"PK\x01\x02":
            raise Damage("its table of contents is damaged. Download it again.")
        _, _, _, flags, method, *_ = fields
        packed, unpacked, name_bytes, extra_bytes, comment_bytes = fields[8:13]
        at += ENTRY.size
        name = table[at : at + name_bytes].decode("utf-8")
        extra = table[at + name_bytes : at + name_bytes + extra_bytes]
        at += name_bytes + extra_bytes + comment_bytes
        unpacked, packed, header_at = _widened(extra, unpacked, packed, fields[-1])
        if method != 0 or flags & IS_LOCKED or packed != unpacked:
            raise Damage("it is packed in a way that PyTorch does not use. Remove it.")
        yield name, _located(file, header_at, packed, size)


def _widened(extra: bytes, *numbers: int) -> Iterator[int]:
    """The numbers, those that need more than 32 bits taken from the field for them."""
    wide = b""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == EXTRA64:
            wide = extra[at + 4 : at + 4 + length]
        at += 4 + length
    place = 0
    for number in numbers:
        if number == TOO_LARGE:
            yield struct.unpack_from("<Q", wide, place)[0]
            place += 8
        else:
            yield number


def _located(file: IO[bytes], header_at: int, length: int, size: int) -> Stored:
    file.seek(header_at)
    magic, *_, name_bytes, extra_bytes = LOCAL.unpack(file.read(LOCAL.size))
    offset = header_at + LOCAL.size + name_bytes + extra_bytes
    if magic != b"PK\x03\x04" or offset + length > size:
        raise Damage("a part of it is missing. Download it again.")
    return Stored(offset=offset, size=length)
