"""Copies tensors out of a file of torch into a safetensors file: bytes to bytes, never unpickled.

The order is that of the safetensors library: wide numbers first, so that all lie aligned.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import IO, Final

import numpy as np
from numpy.lib.stride_tricks import as_strided

from webui.modelfiles.damage import Damage
from webui.modelfiles.header import LENGTH_BYTES, METADATA
from webui.modelfiles.torch_file import StoredTensor

CHUNK_BYTES: Final = 8 * 2**20
MOST_SPREAD: Final = 512 * 2**20
"""Of one tensor whose numbers do not lie in order: it is read at once."""
ALIGNMENT: Final = 8


def written_bytes(tensors: Mapping[str, StoredTensor]) -> int:
    """How large the file becomes, its header left out."""
    return sum(tensor.size_bytes for tensor in tensors.values())


def copy_tensors(
    source: IO[bytes], target: IO[bytes], tensors: Mapping[str, StoredTensor], note: str
) -> Iterator[int]:
    """Write a safetensors file of these tensors. Yields how many bytes came since the last time.
    `note` is kept in its metadata. Raises Damage, OSError."""
    names = sorted(tensors, key=lambda name: (-tensors[name].item_bytes, name))
    target.write(_header(names, tensors, note))
    for name in names:
        tensor = tensors[name]
        is_plain = tensor.span_bytes == tensor.size_bytes and is_in_order(tensor)
        for piece in _plain(source, tensor) if is_plain else _spread(source, name, tensor):
            target.write(piece)
            yield len(piece)
    target.flush()


def is_in_order(tensor: StoredTensor) -> bool:
    """Whether its numbers lie as a row of rows, without gaps."""
    step = 1
    for side, stride in zip(reversed(tensor.shape), reversed(tensor.stride), strict=True):
        if side != 1 and stride != step:
            return not tensor.size_bytes
        step *= side
    return True


def _header(names: list[str], tensors: Mapping[str, StoredTensor], note: str) -> bytes:
    entries: dict[str, object] = {METADATA: {"format": "pt", "converted": note}}
    end = 0
    for name in names:
        tensor, begin = tensors[name], end
        end += tensor.size_bytes
        offsets = [begin, end]
        entries[name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": offsets}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    return len(text).to_bytes(LENGTH_BYTES, "little") + text


def _plain(source: IO[bytes], tensor: StoredTensor) -> Iterator[bytes]:
    source.seek(tensor.offset)
    left = tensor.size_bytes
    while left:
        piece = source.read(min(left, CHUNK_BYTES))
        if not piece:
            raise Damage("it became shorter while it was read. Try again.")
        left -= len(piece)
        yield piece


def _spread(source: IO[bytes], name: str, tensor: StoredTensor) -> Iterator[bytes]:
    """In the order of its indexes: transposed tensors, parts of others, single numbers repeated."""
    if tensor.span_bytes > MOST_SPREAD:
        raise Damage(f"its tensor {name} is too large for the order that its numbers lie in.")
    source.seek(tensor.offset)
    numbers = np.frombuffer(source.read(tensor.span_bytes), dtype=f"u{tensor.item_bytes}")
    strides = [stride * tensor.item_bytes for stride in tensor.stride]
    shown = as_strided(numbers, tensor.shape, strides, writeable=False)
    for row in shown if shown.ndim > 1 else [shown]:
        yield row.tobytes()
