"""What a safetensors file holds as models see it: packed weights in their true shape.

Families recognise files by shapes, which packing changes. For the web process: without torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from webui.core.model import Header
from webui.families.quantised.grouping import group, is_plain
from webui.families.safetensors_file import read_table
from webui.families.stored import Stored


def seen_header(path: Path, header: Header) -> Header:
    """The file's header with each quantised weight under one name, in its true shape. Costs
    nothing for other files. Raises ModelUnreadable, also for packed weights that can't be read."""
    if is_plain(header):
        return header
    table = read_table(path.name, path)
    if not table:
        return header
    with next(iter(table.values())).file.opened() as file:
        return group(path.name, header, lambda key: _bytes(file, table[key])).header


def _bytes(file: BinaryIO, stored: Stored) -> bytes:
    room = bytearray(stored.size_bytes)
    stored.file.read_into(file, stored.offset, memoryview(room))
    return bytes(room)
