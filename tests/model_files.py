"""Model files for tests, without torch: safetensors that are whole, and what torch.save writes.

The weights are zeros that take no room on the disk.
"""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Final

Shapes = Mapping[str, Sequence[int]]
BYTES: Final = {"F32": 4, "F16": 2, "BF16": 2, "F64": 8, "I64": 8, "U8": 1}
STORAGES: Final = {"F32": "FloatStorage", "F16": "HalfStorage", "I64": "LongStorage"}
LEGACY_START: Final = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})


def safetensors(
    path: Path, shapes: Shapes, payload: bytes = b"", dtype: str = "F16", **metadata: str
) -> Path:
    """A safetensors file with tensors of these shapes, whose bytes begin with `payload`."""
    entries: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    end = 0
    for key, shape in shapes.items():
        begin, end = end, end + BYTES[dtype] * prod(shape)
        entries[key] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
    return raw_safetensors(path, json.dumps(entries).encode(), payload, end)


def raw_safetensors(path: Path, header: bytes, payload: bytes = b"", data_bytes: int = 0) -> Path:
    """A file with this header, then zeros that begin with `payload`."""
    assert len(payload) <= data_bytes or not data_bytes, "the payload is longer than the weights"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header + payload)
        file.truncate(8 + len(header) + max(data_bytes, len(payload)))
    return path


@dataclass(frozen=True)
class Tensor:
    """A tensor of zeros in a pickle."""

    shape: Sequence[int]
    dtype: str = "F32"


@dataclass(frozen=True)
class Raw:
    """Operations of a pickle as they are; they must leave one thing on its stack."""

    operations: bytes


def tensors(shapes: Shapes, dtype: str = "F32") -> dict[str, object]:
    """Tensors of these shapes by name."""
    return {key: Tensor(shape, dtype) for key, shape in shapes.items()}


class Packer:
    """Writes pickles as torch does; what is named need not be there."""

    def __init__(self) -> None:
        self.storages: Final[list[Tensor]] = []

    def pickle(self, value: object, protocol: int = 2) -> bytes:
        """A whole pickle."""
        return b"\x80" + bytes([protocol]) + self.pack(value) + b"."

    def pack(self, value: object) -> bytes:
        """The operations that leave a value on the stack."""
        match value:
            case Raw(operations):
                return operations
            case Tensor():
                return self._tensor(value)
            case dict():
                items = b"".join(self.pack(key) + self.pack(each) for key, each in value.items())
                return b"}(" + items + b"u"
            case list():
                return b"](" + b"".join(map(self.pack, value)) + b"e"
            case tuple():
                return b"(" + b"".join(map(self.pack, value)) + b"t"
        return pickle.dumps(value, 2)[2:-1]

    def _tensor(self, tensor: Tensor) -> bytes:
        key = str(len(self.storages))
        self.storages.append(tensor)
        strides = [prod(tensor.shape[place + 1 :]) for place in range(len(tensor.shape))]
        storage = Raw(b"ctorch\n" + STORAGES[tensor.dtype].encode() + b"\n")
        count = prod(tensor.shape)
        saved = self.pack(("storage", storage, key, "cpu", count)) + b"Q"
        hooks = Raw(b"ccollections\nOrderedDict\n)R")
        arguments = (Raw(saved), 0, tuple(tensor.shape), tuple(strides), False, hooks)
        return b"ctorch._utils\n_rebuild_tensor_v2\n" + self.pack(arguments) + b"R"


def torch_zip(path: Path, content: object, **entries: bytes) -> Path:
    """What torch.save makes of it since 1.6; `entries` are further files in the archive."""
    packer = Packer()
    program = packer.pickle(content)
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", program)
        for name, data in {"byteorder": b"little", **entries}.items():
            archive.writestr(f"archive/{name}", data)
        for key, tensor in enumerate(packer.storages):
            data = bytes(prod(tensor.shape) * BYTES[tensor.dtype])
            archive.writestr(f"archive/data/{key}", data)
    return path


def torch_legacy(path: Path, content: object) -> Path:
    """What torch.save made of it before."""
    packer = Packer()
    parts = [Packer().pickle(value) for value in LEGACY_START]
    parts.append(packer.pickle(content))
    keys = [str(key) for key in range(len(packer.storages))]
    parts.append(packer.pickle(keys))
    for tensor in packer.storages:
        count = prod(tensor.shape)
        parts.append(struct.pack("<q", count) + bytes(count * BYTES[tensor.dtype]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(parts))
    return path
