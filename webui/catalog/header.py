"""Reading what a safetensors file holds without reading its weights.

Format: 8 bytes little-endian length n, then n bytes of JSON that maps each tensor's key to its
dtype, shape and byte range (github.com/huggingface/safetensors, format description).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from webui.core.errors import ModelUnreadable
from webui.core.model import Header, TensorHeader

LENGTH_BYTES: Final = 8
MAX_HEADER_BYTES: Final = 32 * 2**20
MAX_TENSORS: Final = 100_000


@dataclass(frozen=True, kw_only=True)
class Front:
    """Everything before the weights. `metadata` is free text that the file's maker put there."""

    tensors: Header
    metadata: Mapping[str, str]


def read_header(path: Path) -> Header:
    """All tensors of the file at `path`. Raises ModelUnreadable that says what is wrong."""
    return read_front(path).tensors


def read_front(path: Path) -> Front:
    """All tensors and the metadata of the file at `path`. Raises ModelUnreadable."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(LENGTH_BYTES), "little")
            if not 2 <= length <= min(size - LENGTH_BYTES, MAX_HEADER_BYTES):
                raise ModelUnreadable(path.name, _not_safetensors(size))
            text = file.read(length)
        entries = json.loads(text)
    except OSError as error:
        raise ModelUnreadable(path.name, f"it can't be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise ModelUnreadable(path.name, _not_safetensors(size)) from error
    return _front(path.name, entries, size - LENGTH_BYTES - length)


def weights_offset(path: Path) -> int:
    """Where the weights begin, in bytes. Raises OSError."""
    with path.open("rb") as file:
        return LENGTH_BYTES + int.from_bytes(file.read(LENGTH_BYTES), "little")


def _front(name: str, entries: Any, data_bytes: int) -> Front:
    if not isinstance(entries, dict) or len(entries) > MAX_TENSORS:
        raise ModelUnreadable(name, _not_safetensors(data_bytes))
    metadata = entries.pop("__metadata__", None)
    said = metadata if isinstance(metadata, dict) else {}
    return Front(
        tensors=_tensors(name, entries, data_bytes),
        metadata={str(key): str(value) for key, value in said.items()},
    )


def _tensors(name: str, entries: Mapping[str, Any], data_bytes: int) -> Header:
    @cache  # most tensors of a file have one of a few shapes, and there may be thousands
    def one_for_all(dtype: str, shape: tuple[int, ...]) -> TensorHeader:
        return TensorHeader(dtype=dtype, shape=shape)

    try:
        tensors = {
            str(key): one_for_all(str(entry["dtype"]), tuple(map(int, entry["shape"])))
            for key, entry in entries.items()
        }
        end = max((int(entry["data_offsets"][1]) for entry in entries.values()), default=0)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise ModelUnreadable(name, _not_safetensors(data_bytes)) from error
    if end > data_bytes:
        missing = (end - data_bytes) / 2**20
        raise ModelUnreadable(
            name, f"the file is cut short: {missing:.1f} MB are missing. Download it again."
        )
    return tensors


def _not_safetensors(size: int) -> str:
    return f"it is not a safetensors file ({size} bytes). Download it again, or remove it."
