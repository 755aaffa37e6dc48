"""Reading what a safetensors file holds without reading its weights, and refusing a hostile one.

Format: 8 bytes little-endian length n, then n bytes of JSON that maps each tensor's key to its
dtype, shape and byte range (github.com/huggingface/safetensors, format description). A file must
be whole: each tensor as long as its shape says, one after the other to the end of the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from math import prod
from pathlib import Path
from typing import Any, Final

from webui.core.errors import ModelUnreadable
from webui.core.model import Header, TensorHeader
from webui.modelfiles.dtypes import BITS

LENGTH_BYTES: Final = 8
MAX_HEADER_BYTES: Final = 24 * 2**20
"""Weights of all known models need less than 1; the rest is what trainers write about themselves,
some MB of it at times."""
MAX_TENSORS: Final = 60_000
MAX_LISTS: Final = 20 * MAX_TENSORS
"""Brackets in the header, those in texts included: each list takes 56 bytes of memory."""
MAX_KEY_LENGTH: Final = 500
MAX_DIMENSIONS: Final = 16
METADATA: Final = "__metadata__"
UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Signs that no name has and that could forge what a person sees: control, direction, halves."""


@dataclass(frozen=True, kw_only=True)
class Front:
    """Everything before the weights. `metadata` is free text that the file's maker put there."""

    tensors: Header
    metadata: Mapping[str, str]
    words: frozenset[str] = frozenset()
    """What a pickle names beside tensors: classes, and the entries at its top."""
    begins: Mapping[str, int] = field(default_factory=dict)
    """Where each tensor begins in a safetensors file."""


class _Refused(ValueError):
    """Why a header is not believed."""


def read_header(path: Path) -> Header:
    """All tensors of the file at `path`. Raises ModelUnreadable that says what is wrong."""
    return read_front(path).tensors


def read_front(path: Path) -> Front:
    """All tensors and the metadata of the file at `path`. Raises ModelUnreadable."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(LENGTH_BYTES), "little")
            _check_length(length, size)
            text = file.read(length)
        return _front(_parsed(text), LENGTH_BYTES + length, size)
    except OSError as error:
        raise ModelUnreadable(path.name, f"it can't be read ({error.strerror}).") from error
    except _Refused as error:
        raise ModelUnreadable(path.name, f"{error} Download it again, or remove it.") from error
    except (ValueError, RecursionError) as error:
        raise ModelUnreadable(path.name, f"{_not_safetensors(size)} Remove it.") from error


def weights_offset(path: Path) -> int:
    """Where the weights begin, in bytes: 0 in files of other forms. Raises OSError."""
    with path.open("rb") as file:
        length, brace = file.read(LENGTH_BYTES), file.read(1)
    return LENGTH_BYTES + int.from_bytes(length, "little") if brace == b"{" else 0


def _check_length(length: int, size: int) -> None:
    if length < 2 or length > 2**40:
        raise _Refused(_not_safetensors(size))
    if length > size - LENGTH_BYTES:
        raise _Refused("the file is damaged or cut short: even its header is not whole.")
    if length > MAX_HEADER_BYTES:
        raise _Refused(
            f"its header has {length / 2**20:.0f} MB; {MAX_HEADER_BYTES // 2**20} are the most."
        )


def _parsed(text: bytes) -> Mapping[str, Any]:
    """What the header says. Its size in memory is bounded before it is parsed."""
    names = text.count(b'":') - text.count(b'\\":')
    if names > 4 * MAX_TENSORS or text.count(b"[") > MAX_LISTS or text.count(b"{") > MAX_LISTS:
        raise _Refused(
            f"its header lists more than the {MAX_TENSORS} tensors that a file may have."
        )
    entries = json.loads(text, object_pairs_hook=_unique)
    if not isinstance(entries, dict):
        raise _Refused("its header is no list of tensors.")
    return entries


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Readers differ in which of two tensors of one name they take."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Refused("its header has two entries of the same name.")
    return found


def _front(entries: Mapping[str, Any], begin: int, size: int) -> Front:
    metadata = entries.get(METADATA)
    said = metadata if isinstance(metadata, dict) else {}
    listed = {key: entry for key, entry in entries.items() if key != METADATA}
    if len(listed) > MAX_TENSORS:
        raise _Refused(f"it has {len(listed)} tensors; {MAX_TENSORS} are the most.")
    tensors = _tensors(listed)
    _check_layout(listed, tensors, size - begin)
    texts = {str(key): str(value) for key, value in said.items()}
    begins = {key: begin + entry["data_offsets"][0] for key, entry in listed.items()}
    return Front(tensors=tensors, metadata=texts, begins=begins)


def _tensors(entries: Mapping[str, Any]) -> Header:
    @cache  # most tensors of a file have one of a few shapes, and there may be thousands
    def one_for_all(dtype: str, shape: tuple[int, ...]) -> TensorHeader:
        return TensorHeader(dtype=dtype, shape=shape)

    tensors = {}
    for key, entry in entries.items():
        _check_name(key)
        if not isinstance(entry, dict):
            raise _Refused(f"its header says nothing of the tensor {key}.")
        tensors[key] = one_for_all(_dtype(key, entry), _shape(key, entry))
    return tensors


def _check_name(key: str) -> None:
    if not key or len(key) > MAX_KEY_LENGTH or UNFIT.search(key):
        raise _Refused(f"its header has a name that no tensor has ({key[:40]!a}).")


def _dtype(key: str, entry: Mapping[str, Any]) -> str:
    dtype = entry.get("dtype")
    if not isinstance(dtype, str) or dtype not in BITS:
        raise _Refused(f"its tensor {key} is of an unknown kind ({ascii(dtype)[:20]}).")
    return dtype


def _shape(key: str, entry: Mapping[str, Any]) -> tuple[int, ...]:
    shape = entry.get("shape")
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS or not _are_counts(shape):
        raise _Refused(f"its tensor {key} has no shape.")
    return tuple(shape)


def _are_counts(values: list[Any]) -> bool:
    return all(type(value) is int and 0 <= value < 2**63 for value in values)


def _check_layout(entries: Mapping[str, Any], tensors: Header, data_bytes: int) -> None:
    """Each as long as its shape says, one behind the other: no gap where anything could hide, no
    byte that is two tensors'."""
    ranges = sorted((*_range(key, entry), key) for key, entry in entries.items())
    end = 0
    for begin, stop, key in ranges:
        bits = BITS[tensors[key].dtype] * prod(tensors[key].shape)
        if bits != 8 * (stop - begin):
            raise _Refused(f"its tensor {key} has {stop - begin} bytes, its shape {bits // 8}.")
        if begin != end:
            raise _Refused(f"its tensor {key} begins at {begin}, the one before ends at {end}.")
        end = stop
    if end > data_bytes:
        missing = end - data_bytes
        much = f"{missing / 2**20:.1f} MB" if missing > 2**19 else f"{missing} bytes"
        raise _Refused(f"the file is damaged or cut short: {much} are missing.")
    if end < data_bytes:
        raise _Refused(f"{data_bytes - end} bytes follow its tensors that belong to none.")


def _range(key: str, entry: Mapping[str, Any]) -> tuple[int, int]:
    found = entry.get("data_offsets")
    if not isinstance(found, list) or len(found) != 2 or not _are_counts(found):
        raise _Refused(f"its tensor {key} lies nowhere in the file.")
    begin, stop = found
    if stop < begin:
        raise _Refused(f"its tensor {key} ends before it begins.")
    return begin, stop


def _not_safetensors(size: int) -> str:
    return f"it is not a safetensors file ({size} bytes)."
