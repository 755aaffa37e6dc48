"""What safetensors files hold as models see it: packed weights in their true shape.

Families recognise files by shapes, which packing changes. For the web process: without torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from webui.core.model import Header
from webui.families.quantised.grouping import group, is_plain
from webui.families.safetensors_file import read_table
from webui.families.stored import Stored, WeightFile


def seen_header(files: Sequence[Path], header: Header) -> Header:
    """The header of a model in these files with each quantised weight under one name, in its true
    shape. Costs nothing for other models. Raises ModelUnreadable, also for packed weights that
    can't be read."""
    if is_plain(header):
        return header
    name = files[0].name
    table = {key: stored for file in files for key, stored in read_table(name, file).items()}
    opened: dict[WeightFile, BinaryIO] = {}
    with ExitStack() as stack:

        def read(key: str) -> bytes:
            stored = table[key]
            if stored.file not in opened:
                opened[stored.file] = stack.enter_context(stored.file.opened())
            return _bytes(opened[stored.file], stored)

        return group(name, header, read).header


def _bytes(file: BinaryIO, stored: Stored) -> bytes:
    room = bytearray(stored.size_bytes)
    stored.file.read_into(file, stored.offset, memoryview(room))
    return bytes(room)
