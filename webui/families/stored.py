"""Tensors as they lie in files: which bytes of which file, and reading them.

Files are read, never mapped: a mapped file that is overwritten ends the process. Without torch.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Final

from webui.core.errors import ModelUnreadable

TORCH_NAMES: Final = MappingProxyType(
    {
        "F64": "float64",
        "F32": "float32",
        "F16": "float16",
        "BF16": "bfloat16",
        "F8_E4M3": "float8_e4m3fn",
        "F8_E5M2": "float8_e5m2",
        "F8_E8M0": "float8_e8m0fnu",
        "I64": "int64",
        "I32": "int32",
        "I16": "int16",
        "I8": "int8",
        "U64": "uint64",
        "U32": "uint32",
        "U16": "uint16",
        "U8": "uint8",
        "BOOL": "bool",
        "C64": "complex64",
    }
)
"""What torch calls the types of elements that safetensors files may have."""
_SIZES: Final = MappingProxyType(
    {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "U64": 8, "U32": 4}
    | {"U16": 2, "C64": 8}
)


@dataclass(frozen=True, kw_only=True)
class WeightFile:
    """A file as it was when its header was read. `model` is the model's name, for messages."""

    model: str
    path: Path
    size_bytes: int
    changed_ns: int

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """The file for reading. Raises ModelUnreadable when it is gone or another than it was, at
        the end too: what was read of a file that changed meanwhile is worth nothing."""
        try:
            with self.path.open("rb", buffering=0) as file:
                self._check(file.fileno())
                yield file
                self._check(file.fileno())
        except FileNotFoundError as error:
            raise missing(self.model, self.path) from error
        except OSError as error:
            raise damaged(self.model, self.path, error.strerror or str(error)) from error

    def check(self) -> None:
        """Raises ModelUnreadable when it is gone or another than it was."""
        with self.opened():
            pass

    def read_into(self, file: BinaryIO, offset: int, target: memoryview) -> None:
        """Fill `target` with the bytes from `offset` on. Raises ModelUnreadable."""
        file.seek(offset)
        filled = 0
        while filled < len(target):
            count = file.readinto(target[filled:])  # type: ignore[attr-defined]
            if not count:
                raise damaged(self.model, self.path, "it ends in the middle of its weights")
            filled += count

    def _check(self, number: int) -> None:
        now = os.fstat(number)
        if (now.st_size, now.st_mtime_ns) != (self.size_bytes, self.changed_ns):
            raise ModelUnreadable(
                self.model,
                f"the file {self.path.name} was replaced or changed while it was in use. "
                "Wait until it is complete, then try again.",
            )


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A tensor in a file: `offset` is its first byte's, counted from the file's beginning; `dtype`
    is safetensors' name of its type, such as F16."""

    file: WeightFile
    offset: int
    dtype: str
    shape: tuple[int, ...]

    @cached_property
    def size_bytes(self) -> int:
        """Bytes that it takes in the file."""
        return prod(self.shape) * element_bytes(self.dtype)

    def rows(self, start: int | None, stop: int | None) -> Stored:
        """Its rows from `start` to `stop` along the first axis."""
        if not self.shape or (start is None and stop is None):
            return self
        chosen = range(self.shape[0])[start:stop]
        row_bytes = prod(self.shape[1:]) * element_bytes(self.dtype)
        return replace(
            self,
            offset=self.offset + chosen.start * row_bytes,
            shape=(len(chosen), *self.shape[1:]),
        )


def element_bytes(dtype: str) -> int:
    """Bytes of one element of a type that safetensors names so."""
    return _SIZES.get(dtype, 1)


def missing(model: str, file: Path) -> ModelUnreadable:
    """What is said when a file of a model isn't there."""
    return ModelUnreadable(
        model, f"the file {file.name} is missing. Put it back, or refresh the list of models."
    )


def damaged(model: str, file: Path, why: object) -> ModelUnreadable:
    """What is said of a file that can't be what it should be."""
    return ModelUnreadable(
        model, f"the file {file.name} is damaged or cut short ({why}). Download it again."
    )
