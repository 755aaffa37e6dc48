"""Opens pickles of torch without running anything that they name.

A pickle is a program: it says which functions to call. Here it gets those that rebuild tensors, in
versions of our own; a name for anything else gives an inert thing that keeps what it is given and
does nothing.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from torch import Tensor

DTYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "FloatStorage": "float32",
        "DoubleStorage": "float64",
        "HalfStorage": "float16",
        "BFloat16Storage": "bfloat16",
        "LongStorage": "int64",
        "IntStorage": "int32",
    }
)


class Inert(dict[Any, Any]):
    """Stands for anything that a pickle names. Can be called, filled and given state, which it
    keeps as attributes of its own."""

    def __new__(cls, *_arguments: object, **_named: object) -> Inert:
        return super().__new__(cls)

    def __init__(self, *_arguments: object, **_named: object) -> None:
        super().__init__()

    def __setstate__(self, state: object) -> None:
        if isinstance(state, dict):
            self.__dict__.update({str(name): value for name, value in state.items()})

    def append(self, _item: object) -> None:
        """Lists are filled by this."""

    def extend(self, _items: object) -> None:
        """And by this."""


def load_inert(path: Path) -> object:
    """What torch saved at `path` as a zip, its tensors and plain values; all else is inert. Raises
    whatever a damaged file leads to."""
    with zipfile.ZipFile(path) as archive:
        program = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        root = program.removesuffix("data.pkl")
        with archive.open(program) as file:
            return _Unpickler(file, archive, root).load()


# The one written in Python: the faster one in C reserves memory for a slot of any number that a
# pickle may name, tens of gigabytes for six bytes.
class _Unpickler(pickle._Unpickler):
    def __init__(self, file: IO[bytes], archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(file)
        self._archive: Final = archive
        self._root: Final = root

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a name of the pickle's; nothing is imported."""
        match module, name:
            case "torch._utils", "_rebuild_tensor_v2":
                return _rebuild_tensor
            case "torch._utils", "_rebuild_parameter":
                return _rebuild_parameter
            case "collections", "OrderedDict":
                return OrderedDict
            case "torch", _ if name in DTYPES:
                return DTYPES[name]
        return Inert

    def persistent_load(self, pid: Any) -> Tensor:
        """The values of one tensor or several, (n,)."""
        import torch

        _, dtype, key, _, _ = pid
        data = self._archive.read(f"{self._root}data/{key}")
        return torch.frombuffer(bytearray(data), dtype=getattr(torch, str(dtype)))


def _rebuild_tensor(
    values: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> Tensor:
    return values.as_strided(size, stride, offset)


def _rebuild_parameter(tensor: Tensor, *_: object) -> Tensor:
    return tensor
