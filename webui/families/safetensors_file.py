"""Where the tensors of a safetensors file lie.

Format: 8 bytes little-endian length n, then n bytes of JSON that maps each key to its type, shape
and byte range after the header (github.com/huggingface/safetensors, format description).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any, Final

from webui.families.stored import (
    TORCH_NAMES,
    Stored,
    WeightFile,
    damaged,
    element_bytes,
    missing,
)
from webui.modelfiles.header import read_front as check_front

LENGTH_BYTES: Final = 8
MAX_HEADER_BYTES: Final = 100_000_000
"""As much as safetensors itself accepts."""


def read_table(model: str, path: Path) -> dict[str, Stored]:
    """All tensors of a file by key. Raises ModelUnreadable. `model` is its name in messages."""
    try:
        stat = path.stat()
        check_front(path)
        with path.open("rb") as file:
            length = int.from_bytes(file.read(LENGTH_BYTES), "little")
            if not 2 <= length <= min(stat.st_size - LENGTH_BYTES, MAX_HEADER_BYTES):
                raise damaged(model, path, "it has no header of safetensors")
            entries = json.loads(file.read(length))
        state = WeightFile(
            model=model, path=path, size_bytes=stat.st_size, changed_ns=stat.st_mtime_ns
        )
        return dict(_tensors(state, entries, LENGTH_BYTES + length))
    except FileNotFoundError as error:
        raise missing(model, path) from error
    except OSError as error:
        raise damaged(model, path, error.strerror or error) from error
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise damaged(model, path, "its header is no list of tensors") from error


def _tensors(
    file: WeightFile, entries: Mapping[str, Any], begin: int
) -> Iterator[tuple[str, Stored]]:
    for key, entry in entries.items():
        if key == "__metadata__":
            continue
        start, stop = (int(offset) for offset in entry["data_offsets"])
        dtype, shape = str(entry["dtype"]), tuple(int(side) for side in entry["shape"])
        if begin + stop > file.size_bytes:
            raise damaged(file.model, file.path, f"it ends before {key}")
        wanted = prod(shape) * element_bytes(dtype)
        is_odd = dtype in TORCH_NAMES and stop - start != wanted
        if start < 0 or stop < start or min(shape, default=0) < 0 or is_odd:
            raise damaged(file.model, file.path, f"{key} has the wrong number of bytes")
        yield key, Stored(file=file, offset=begin + start, dtype=dtype, shape=shape)
