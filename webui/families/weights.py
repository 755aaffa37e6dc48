"""Brings tensors from files into models, with a message for each way in which that can fail.

torch and safetensors are imported inside the functions: the web process reads families too, and
must not load them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from webui.core.errors import ModelUnreadable
from webui.families.components import Placement

if TYPE_CHECKING:
    from torch import Tensor, nn

M = TypeVar("M", bound="nn.Module")


@dataclass(frozen=True)
class Piece:
    """What a weight is of a tensor in a file: its rows `start` to `stop` along the first axis, all
    where they are None; then with the halves of these rows swapped; then transposed."""

    key: str
    start: int | None = None
    stop: int | None = None
    swap_halves: bool = False
    transpose: bool = False

    def shape_in(self, whole: tuple[int, ...]) -> tuple[int, ...]:
        """Its shape, where the tensor has the shape `whole`."""
        rows = (len(range(whole[0])[self.start : self.stop]), *whole[1:]) if whole else whole
        return rows[::-1] if self.transpose else rows

    def of(self, whole: Tensor) -> Tensor:
        """It, of the tensor `whole`."""
        rows = whole[self.start : self.stop] if whole.ndim else whole
        if self.swap_halves:
            rows = rows.roll(len(rows) // 2, 0)
        return rows.T if self.transpose else rows


NameOf = Callable[[Collection[str]], Mapping[str, str | Piece]]
"""The file's name of each key of a model, or which piece of the file's tensor it is."""


class TensorFiles:
    """The tensors of one or several safetensors files by name, read one at a time.

    A context manager. `name` is the model's, for messages. Opening raises ModelUnreadable.
    """

    def __init__(self, name: str, files: Iterable[Path]) -> None:
        self.name: Final = name
        self._files: Final = tuple(files)
        self._stack: Final = ExitStack()
        self._readers: Final[dict[str, Any]] = {}

    def __enter__(self) -> TensorFiles:
        with ExitStack() as stack:
            for file in self._files:
                reader = stack.enter_context(_open(self.name, file))
                self._readers.update(dict.fromkeys(reader.keys(), reader))
            self._stack.push(stack.pop_all())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._readers.clear()
        self._stack.close()

    def __contains__(self, key: object) -> bool:
        return key in self._readers

    def __iter__(self) -> Iterator[str]:
        return iter(self._readers)

    def shape(self, key: str) -> tuple[int, ...]:
        """The shape of a tensor, told without reading it."""
        return tuple(self._readers[key].get_slice(key).get_shape())

    def dtype(self, key: str) -> str:
        """The type of a tensor's elements as safetensors calls it, such as F16 or F8_E4M3."""
        return str(self._readers[key].get_slice(key).get_dtype())

    def read(self, key: str) -> Tensor:
        """A tensor as the file has it, on the CPU; its bytes may still be the mapped file's."""
        tensor: Tensor = self._readers[key].get_tensor(key)
        return tensor


def folder_files(name: str, folder: Path) -> list[Path]:
    """The weight files of one part of a diffusers folder. Raises ModelUnreadable.

    Those of full precision if they are there, else those of the "fp16" variant.
    """
    for variant in ("", ".fp16"):
        for stem in ("diffusion_pytorch_model", "model"):
            single = folder / f"{stem}{variant}.safetensors"
            index = folder / f"{stem}.safetensors.index{variant}.json"
            if single.exists():
                return [single]
            if index.exists():
                shards = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
                return [folder / shard for shard in sorted(shards)]
    raise ModelUnreadable(
        name,
        f"its folder {folder.name} holds no safetensors weights. Files of the older .bin kind "
        "can run code and are not loaded. Look for a safetensors version.",
    )


def build(make: Callable[[], M], names: NameOf, files: TensorFiles, placement: Placement) -> M:
    """The model that `make` makes, with weights from `files`, ready to run.

    It is made without storage and takes over each tensor as it is read, so that nothing lies in
    memory twice. Raises ModelUnreadable.
    """
    import torch

    with torch.device("meta"):
        model = make()
    empty = model.state_dict()
    pieces = {key: _piece(name) for key, name in names(empty).items()}
    _check_complete(files, [pieces[key].key for key in empty])
    weights = {
        key: _place(_fitting(files, pieces[key], tuple(tensor.shape)), placement)
        for key, tensor in empty.items()
    }
    model.load_state_dict(weights, assign=True)
    return model.eval().requires_grad_(False)


def _open(name: str, file: Path) -> Any:
    from safetensors import SafetensorError, safe_open

    try:
        return safe_open(file, framework="pt")
    except FileNotFoundError as error:
        raise ModelUnreadable(
            name, f"the file {file.name} is missing. Put it back, or refresh the list of models."
        ) from error
    except (SafetensorError, OSError) as error:
        raise ModelUnreadable(
            name, f"the file {file.name} is damaged or cut short ({error}). Download it again."
        ) from error


def _check_complete(files: TensorFiles, wanted: Iterable[str]) -> None:
    missing = [key for key in wanted if key not in files]
    if missing:
        raise ModelUnreadable(
            files.name,
            f"{len(missing)} of its tensors are missing, the first is {missing[0]}. "
            "It is incomplete or of another kind. Look for another version.",
        )


def _piece(name: str | Piece) -> Piece:
    return name if isinstance(name, Piece) else Piece(name)


def _fitting(files: TensorFiles, piece: Piece, shape: tuple[int, ...]) -> Tensor:
    """A piece in the shape the model wants; 1x1 convolutions serve as linear layers."""
    found = piece.shape_in(files.shape(piece.key))
    if found not in (shape, (*shape, 1, 1)):
        raise ModelUnreadable(
            files.name,
            f"{piece.key} has the shape {found} instead of {shape}: it is of another kind than "
            "it seems. Look for another version.",
        )
    return piece.of(files.read(piece.key)).reshape(shape)


def _place(tensor: Tensor, placement: Placement) -> Tensor:
    """A copy of a tensor. Copied even where nothing changes: a file that is overwritten while a
    model still lies in its mapped pages ends the process."""
    import torch

    is_image_like = placement.is_channels_last and tensor.ndim == 4
    return tensor.to(
        device=placement.device,
        dtype=placement.dtype,
        memory_format=torch.channels_last if is_image_like else torch.preserve_format,
        copy=True,
    )
