"""Brings tensors from files into models, with a message for each way in which that can fail.

torch and safetensors are imported inside the functions: the web process reads families too, and
must not load them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeVar

from webui.core.errors import ModelUnreadable
from webui.core.model import TensorHeader
from webui.families.components import Placement
from webui.families.gguf_file import is_gguf, read_gguf_table
from webui.families.quantised.grouping import Grouped, group
from webui.families.quantised.layers import is_quantised
from webui.families.quantised.packed import Packed, keep_packed
from webui.families.safetensors_file import read_table
from webui.families.stored import Stored, WeightFile
from webui.families.weight_table import (
    Origin,
    Used,
    Weight,
    WeightTable,
    bytes_of,
    cut,
    element_type,
    layers_of,
    put,
)

if TYPE_CHECKING:
    import torch
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


NameOf = Callable[[Collection[str]], Mapping[str, str | Piece]]
"""The file's name of each key of a model, or which piece of the file's tensor it is."""


class TensorFiles:
    """The tensors of one or several safetensors or GGUF files by name, read one at a time.

    Where several tensors make one quantised weight, that is seen under its name alone, in its true
    shape. A context manager. `name` is the model's, for messages. Opening raises ModelUnreadable.
    """

    def __init__(self, name: str, files: Iterable[Path]) -> None:
        self.name: Final = name
        self._files: Final = tuple(files)
        self._stack: Final = ExitStack()
        self._table: Final[dict[str, Stored]] = {}
        self._opened: Final[dict[WeightFile, BinaryIO]] = {}
        self._seen = Grouped(header={}, groups={})

    def __enter__(self) -> TensorFiles:
        header: dict[str, TensorHeader] = {}
        for file in self._files:
            if is_gguf(file):
                table, packed = read_gguf_table(self.name, file)
            else:
                table, packed = read_table(self.name, file), {}
            self._table.update(table)
            header |= {key: _header(stored) for key, stored in table.items()}
            header |= packed
        self._seen = group(self.name, header, lambda key: bytes(bytes_of(self._raw(key))))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._opened.clear()
        self._stack.__exit__(kind, error, traceback)

    def __contains__(self, key: object) -> bool:
        return key in self._seen.header

    def __iter__(self) -> Iterator[str]:
        return iter(self._seen.header)

    def plain(self, key: str) -> TensorHeader | None:
        """The form of a tensor that stands for itself; None for others, and where there is none."""
        return None if key in self._seen.groups else self._seen.header.get(key)

    def shape(self, key: str) -> tuple[int, ...]:
        """The shape of a tensor, told without reading it."""
        return self._seen.header[key].shape

    def dtype(self, key: str) -> str:
        """The type of a tensor's elements as safetensors calls it, such as F16, or as ggml
        does, such as Q4_K; of a quantised weight those it is packed in."""
        return self._seen.header[key].dtype

    def stored(self, key: str) -> Stored | Packed:
        """Where a tensor lies, to be read later. Raises KeyError."""
        if (found := self._seen.groups.get(key)) is None:
            return self._table[key]
        parts = {part: self._table[each] for part, each in found.keys.items()}
        return Packed(form=found.form, parts=parts)

    def read(self, key: str, dtype: torch.dtype | None = None) -> Tensor:
        """A tensor as the file has it, of a quantised weight the true values in `dtype` or in
        float32; on the CPU. Raises ModelUnreadable."""
        import torch

        if (found := self._seen.groups.get(key)) is None:
            return self._raw(key)
        parts = {part: self._raw(each) for part, each in found.keys.items()}
        return found.form.dequantise(parts, dtype or torch.float32)

    def _raw(self, key: str) -> Tensor:
        import torch

        stored = self._table[key]
        tensor = torch.empty(stored.shape, dtype=element_type(stored))
        self.read_into(stored, tensor)
        return tensor

    def read_into(self, stored: Stored, room: Tensor) -> None:
        """Put a tensor into `room`, whatever its type, layout and device. Raises
        ModelUnreadable."""
        import torch

        dtype = element_type(stored)
        is_ready = room.dtype == dtype and room.device.type == "cpu" and room.is_contiguous()
        target = room if is_ready else torch.empty(stored.shape, dtype=dtype)
        if stored.file not in self._opened:
            self._opened[stored.file] = self._stack.enter_context(stored.file.opened())
        stored.file.read_into(self._opened[stored.file], stored.offset, bytes_of(target))
        if not is_ready:
            room.copy_(target.reshape(room.shape))


def folder_files(name: str, folder: Path) -> list[Path]:
    """The weight files of one part of a diffusers folder. Raises ModelUnreadable.

    Those of full precision if they are there, else those of the variant "fp16" or "bf16" (as of
    huggingface.co/Efficient-Large-Model/Sana_1600M_1024px_BF16_diffusers).
    """
    for variant in ("", ".fp16", ".bf16"):
        for stem in ("diffusion_pytorch_model", "model"):
            single = folder / f"{stem}{variant}.safetensors"
            index = folder / f"{stem}.safetensors.index{variant}.json"
            if single.exists():
                return [single]
            if index.exists():
                shards = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
                return [folder / Path(shard).name for shard in sorted(map(str, shards))]
    raise ModelUnreadable(
        name,
        f"its folder {folder.name} holds no weights. Put the whole folder of the model there, as "
        "it was published.",
    )


def build(make: Callable[[], M], names: NameOf, files: TensorFiles, placement: Placement) -> M:
    """The model that `make` makes, with weights from `files`, ready to run.

    It is made without storage and takes over each tensor as it is read, so that nothing lies in
    memory twice. Where the placement defers reading, it is left without weights, and who defers is
    given the table of them. Raises ModelUnreadable.
    """
    name = _name_of(make, placement)
    used = placement.reuse(name) if name and placement.reuse is not None else None
    model: M = _made(make) if used is None else _as_made(used)
    table = None if used is None else _with_sources(used.table, names, files)
    if table is None:
        table = tabulate(model, names, files, placement)
        if not any(map(is_quantised, model.modules())):  # those were changed for their files
            table = replace(table, build=name)
        _move_buffers(model, table, placement)
        model.eval().requires_grad_(False)
    if placement.defer is not None:
        placement.defer(model, table)
    else:
        _fill(model, table, files)
    return model


def _made(make: Callable[[], M]) -> M:
    with empty_weights():
        return make()


def _as_made(used: Used) -> Any:
    """Of the type that its build tells."""
    return used.model


def _with_sources(table: WeightTable, names: NameOf, files: TensorFiles) -> WeightTable | None:
    """The table of the same model with weights of other files, which have each of them under the
    same name and in the same form; None where they differ."""
    pieces = names([key for weight in table.weights for key in weight.keys])
    weights = []
    for weight in table.weights:
        piece = _first_there(files, [_piece(pieces[key]) for key in weight.keys])
        source = _like_before(weight, piece, files)
        if source is None:
            return None
        weights.append(replace(weight, source=source))
    return replace(table, name=files.name, weights=tuple(weights))


def _like_before(weight: Weight, piece: Piece, files: TensorFiles) -> Stored | None:
    """The source of a weight in other files; None where they have it otherwise."""
    ways = piece.swap_halves, piece.transpose
    if weight.origin is None or weight.origin != _origin(piece, files):
        return None
    if ways != (weight.swap_halves, weight.transpose):
        return None
    found = files.stored(piece.key)
    return found.rows(piece.start, piece.stop) if isinstance(found, Stored) else None


def _name_of(make: Callable[[], Any], placement: Placement) -> str:
    """What a model is made by: its class and its settings, and its form in memory."""
    if not isinstance(make, partial):
        return ""
    form = f"{placement.dtype} {placement.is_channels_last}"
    return f"{make.func!r} {make.args!r} {make.keywords!r} {form}"


def tabulate(
    model: nn.Module, names: NameOf, files: TensorFiles, placement: Placement
) -> WeightTable:
    """What each weight of a model without storage is made of. Raises ModelUnreadable."""
    wanted = _shared(model)
    pieces = {key: _piece(name) for key, name in names(model.state_dict()).items()}
    found = {keys: _first_there(files, [pieces[key] for key in keys]) for keys in wanted}
    _check_complete(files, [piece.key for piece in found.values()])
    weights = [
        weight
        for keys, like in wanted.items()
        for weight in _weights(model, files, keys, found[keys], like, placement)
    ]
    return WeightTable(name=files.name, weights=tuple(weights), device=placement.device)


FILLING: Final = frozenset(
    {
        *("kaiming_uniform_", "xavier_uniform_", "uniform_", "normal_", "trunc_normal_"),
        *("constant_", "ones_", "zeros_", "fill_", "zero_"),
    }
)
"""Functions by name, because transformers puts others in the place of PyTorch's."""


@contextmanager
def empty_weights() -> Iterator[None]:
    """Models made meanwhile have weights without storage; what they compute, such as tables of
    positions that are in no file, is there."""
    import torch
    from torch.overrides import TorchFunctionMode

    unfilled = (torch.empty, torch.rand, torch.randn)

    class WithoutStorage(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            kwargs = kwargs or {}
            if getattr(func, "__name__", "") in FILLING:
                filled = (args or tuple(kwargs.values()))[0]
                if filled.is_meta:  # would take half of the time, for nothing
                    return filled
            if func in unfilled and kwargs.get("device") is None:
                kwargs = {**kwargs, "device": "meta"}
            return func(*args, **kwargs)

    with WithoutStorage():
        yield


def _shared(model: nn.Module) -> dict[tuple[str, ...], Tensor]:
    """The keys of each weight of a model, and what the model has in its place."""
    keys: dict[int, list[str]] = {}
    tensors: dict[int, Tensor] = {}
    parameters = dict(model.named_parameters(remove_duplicate=False))
    for key, tensor in model.state_dict().items():
        owner = parameters.get(key, tensor)
        keys.setdefault(id(owner), []).append(key)
        tensors[id(owner)] = owner  # kept, so that no other tensor gets its id
    return {tuple(keys[each]): tensors[each] for each in keys}


def _first_there(files: TensorFiles, pieces: Sequence[Piece]) -> Piece:
    return next((piece for piece in pieces if piece.key in files), pieces[0])


def _weights(
    model: nn.Module,
    files: TensorFiles,
    keys: tuple[str, ...],
    piece: Piece,
    like: Tensor,
    placement: Placement,
) -> list[Weight]:
    """What this weight of the model is made of; several where a layer keeps it quantised."""
    shape = tuple(like.shape)
    _check_shape(files, piece, shape)
    found = files.stored(piece.key)
    if not isinstance(found, Packed):
        source: Stored | Tensor = found
    elif kept := _kept(model, keys, found, piece, shape, placement):
        return kept
    else:
        source = found.cast or files.read(piece.key, placement.dtype)
    return [
        Weight(
            keys=keys,
            shape=shape,
            dtype=placement.dtype if like.is_floating_point() else like.dtype,
            source=cut(source, piece.start, piece.stop),
            swap_halves=piece.swap_halves,
            transpose=piece.transpose,
            is_channels_last=placement.is_channels_last and len(shape) == 4,
            origin=_origin(piece, files),
        )
    ]


def _origin(piece: Piece, files: TensorFiles) -> Origin | None:
    whole = files.plain(piece.key)
    return None if whole is None else Origin(piece.key, whole, piece.start, piece.stop)


def _kept(
    model: nn.Module,
    keys: tuple[str, ...],
    packed: Packed,
    piece: Piece,
    shape: tuple[int, ...],
    placement: Placement,
) -> list[Weight]:
    """The parts of a packed weight that a layer can run on; empty where none can."""
    if len(keys) > 1 or piece.transpose:
        return []
    rows = packed.piece(piece.start, piece.stop, swap_halves=piece.swap_halves)
    return keep_packed(model, keys[0], rows.seen_as(shape), placement.dtype) if rows else []


def _move_buffers(model: nn.Module, table: WeightTable, placement: Placement) -> None:
    """Bring what is in no file to the device."""
    from_files = {key for weight in table.weights for key in weight.keys}
    for path, layer in model.named_modules():
        for name, buffer in layer.named_buffers(prefix=path, recurse=False):
            if name not in from_files and buffer.device.type != "meta":
                setattr(layer, name.rpartition(".")[2], buffer.to(placement.device))


def _fill(model: nn.Module, table: WeightTable, files: TensorFiles) -> None:
    layers = layers_of(model)
    for weight in table.weights:
        tensor = weight.empty(table.device)
        for source, room in weight.parts(tensor):
            if isinstance(source, Stored):
                files.read_into(source, room)
            else:
                room.copy_(source.reshape(room.shape))
        put(layers, weight, tensor)


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


def _check_shape(files: TensorFiles, piece: Piece, shape: tuple[int, ...]) -> None:
    """A piece has the shape the model wants; 1x1 convolutions serve as linear layers. ggml counts
    no outermost sides of 1 (ggml_n_dims), so GGUF files of stable-diffusion.cpp lack them."""
    found = piece.shape_in(files.shape(piece.key))
    if found not in (shape, (*shape, 1, 1)) and shape != (1, *found):
        raise ModelUnreadable(
            files.name,
            f"{piece.key} has the shape {found} instead of {shape}: it is of another kind than "
            "it seems. Look for another version.",
        )


def _header(stored: Stored) -> TensorHeader:
    return TensorHeader(dtype=stored.dtype, shape=stored.shape)
