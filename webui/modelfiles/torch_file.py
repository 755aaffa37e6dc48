"""The tensors in a file of torch.save, old or new: where the bytes of each lie. Nothing is run.

New files are zip archives of one pickle and one file per storage. Old ones are pickles in a row:
a magic number, a version, facts of the system, the object, the storages' names; then the storages,
each behind its length. (torch/serialization.py, _legacy_save and _save)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Final

from webui.core.errors import ModelUnreadable
from webui.modelfiles.claims import (
    Claim,
    Storage,
    claimed_tensors,
    entries_of,
    known_storages,
)
from webui.modelfiles.container import Container
from webui.modelfiles.damage import WHATEVER, Damage
from webui.modelfiles.dtypes import BITS
from webui.modelfiles.header import MAX_TENSORS
from webui.modelfiles.pickle_program import Reading, read_pickle
from webui.modelfiles.zip_entries import Stored, stored_files

LEGACY_MAGIC: Final = 0x1950A86A20F9469CFC6C
LEGACY_VERSION: Final = 1001
LENGTH_BYTES: Final = 8
PROGRAM: Final = "data.pkl"
MOST_TIMES: Final = 3
"""How much larger than the file the tensors in it may be."""
SPARE_BYTES: Final = 2**20


@dataclass(frozen=True, kw_only=True)
class StoredTensor:
    """A tensor, and where its numbers lie: the first at `offset` in the file, the others as
    `stride`, counted in numbers, says."""

    dtype: str
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int

    @property
    def item_bytes(self) -> int:
        """Of one number."""
        return BITS[self.dtype] // 8

    @property
    def size_bytes(self) -> int:
        """Of all its numbers."""
        return self.item_bytes * prod(self.shape)

    @property
    def span_bytes(self) -> int:
        """From its first number to its last, with what lies between."""
        if not prod(self.shape):
            return 0
        pairs = zip(self.shape, self.stride, strict=True)
        return self.item_bytes * (1 + sum((side - 1) * step for side, step in pairs))


@dataclass(frozen=True, kw_only=True)
class TorchFile:
    """The tensors by name, as a state dict has them, and what else the pickle names."""

    tensors: Mapping[str, StoredTensor]
    words: frozenset[str]


def read_torch(path: Path, container: Container) -> TorchFile:
    """What the file at `path` holds. Raises ModelUnreadable."""
    try:
        with path.open("rb") as file:
            return read_open_torch(file, container)
    except OSError as error:
        raise ModelUnreadable(path.name, f"it can't be read ({error.strerror}).") from error
    except Damage as error:
        raise ModelUnreadable(path.name, str(error)) from error


def read_open_torch(file: IO[bytes], container: Container) -> TorchFile:
    """As `read_torch`, of an open file. Raises Damage, Hostile."""
    size = file.seek(0, 2)
    try:
        found = _read_zip(file) if container is Container.TORCH_ZIP else _read_legacy(file, size)
        _check_total(found.tensors.values(), size)
    except Damage:
        raise
    except WHATEVER as error:
        raise Damage("it is damaged, or no model. Download it again, or remove it.") from error
    return found


def _read_zip(file: IO[bytes]) -> TorchFile:
    entries = stored_files(file)
    roots = [name.removesuffix(PROGRAM) for name in entries if name.endswith(PROGRAM)]
    if len(roots) != 1:
        raise Damage(
            "it is a zip archive, but none of PyTorch. Unpack it, and put the model file that is "
            "in it here."
        )
    order = entries.get(f"{roots[0]}byteorder")
    if order is not None and _start_of(file, order) != b"little":
        raise Damage("it was saved on a machine with another order of bytes. Look for another.")
    file.seek(entries[f"{roots[0]}{PROGRAM}"].offset)
    return _found(read_pickle(file), lambda key: entries[f"{roots[0]}data/{key}"])


def _start_of(file: IO[bytes], stored: Stored) -> bytes:
    file.seek(stored.offset)
    return file.read(min(stored.size, 16))


def _read_legacy(file: IO[bytes], size: int) -> TorchFile:
    file.seek(0)
    if read_pickle(file).content != LEGACY_MAGIC:
        raise Damage("it is a pickle, but none of PyTorch. Look for a safetensors version.")
    if read_pickle(file).content != LEGACY_VERSION:
        raise Damage("it was saved by an unknown version of PyTorch. Look for another.")
    read_pickle(file)  # facts of the system
    reading, keys = read_pickle(file), read_pickle(file).content
    if not isinstance(keys, list) or len(keys) > MAX_TENSORS:
        raise Damage("its table of tensors is damaged. Download it again.")
    places = _legacy_places(file, size, keys, known_storages(reading.saved))
    return _found(reading, places.__getitem__)


def _found(reading: Reading, place_of: Callable[[str], Stored]) -> TorchFile:
    claims = claimed_tensors(reading.content)
    return TorchFile(
        tensors={
            name: _located(name, claim, place_of(claim.storage.key))
            for name, claim in claims.items()
        },
        words=frozenset((*reading.named, *entries_of(reading.content))),
    )


def _legacy_places(
    file: IO[bytes], size: int, keys: Iterable[object], storages: Mapping[str, Storage]
) -> Mapping[str, Stored]:
    """Where the storages lie, one behind the other, in the order of their keys."""
    places: dict[str, Stored] = {}
    at = file.tell()
    for key in map(str, keys):
        file.seek(at)
        count = int.from_bytes(file.read(LENGTH_BYTES), "little", signed=True)
        length = count * BITS[storages[key].dtype] // 8
        at += LENGTH_BYTES
        if not 0 <= length <= size - at:
            raise Damage("it is cut short. Download it again.")
        places[key] = Stored(offset=at, size=length)
        at += length
    return places


def _located(name: str, claim: Claim, place: Stored) -> StoredTensor:
    """The claim, if the file bears it out."""
    found = StoredTensor(
        dtype=claim.dtype,
        shape=claim.shape,
        stride=claim.stride,
        offset=place.offset + claim.offset * BITS[claim.dtype] // 8,
    )
    if found.offset + found.span_bytes > place.offset + place.size:
        raise Damage(f"its tensor {name} is longer than what the file has of it. Remove it.")
    return found


def _check_total(tensors: Iterable[StoredTensor], size: int) -> None:
    """Tensors may share their numbers; a few of them may not be said to be a million. Nor may so
    many lie spread so widely that reading them takes for ever."""
    total = sum(max(tensor.size_bytes, tensor.span_bytes) for tensor in tensors)
    if total > MOST_TIMES * size + SPARE_BYTES:
        raise Damage(
            f"it claims to hold {total / 2**20:.0f} MB of tensors, but has {size / 2**20:.1f} MB. "
            "Remove it."
        )
