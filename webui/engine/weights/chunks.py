"""Which weights lie together, in which order, and which of them stay on the device. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from torch import Tensor, nn

from webui.families.weight_table import Weight, WeightTable

ALIGNMENT: Final = 256
"""Bytes: what the device's own allocator gives; kernels choose slower ways below 16."""
CHUNKS: Final = 24
"""As many chunks has a part at least, if they are not below the smallest size: slots of a small
text encoder shall not take as much as it."""
SLOTS: Final = 3
"""Chunks on the device at a time: one in use, two on their way."""


@dataclass(frozen=True, kw_only=True)
class Grain:
    """Into how large pieces parts are cut, in bytes."""

    small_layer: int = 128 * 2**10
    """Layers below stay on the device: norms and the like, many copies for little room."""
    smallest_chunk: int = 4 * 2**20
    largest_chunk: int = 64 * 2**20
    """Large enough that a copy reaches the link's full speed."""
    block: int = 16 * 2**20
    """What a thread reads at a time."""
    large_table: int = 32 * 2**20
    """Tables of embeddings above leave the device where not all of a part has room."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Chunk:
    """Weights that lie together and are copied at once; `offsets` are their first bytes'."""

    layers: tuple[str, ...]
    weights: tuple[Weight, ...]
    offsets: tuple[int, ...]
    size_bytes: int

    def rooms(self, memory: Tensor) -> Iterator[tuple[Weight, Tensor]]:
        """Each weight's place in the chunk's memory, a tensor of bytes."""
        for weight, offset in zip(self.weights, self.offsets, strict=True):
            flat = memory[offset : offset + weight.size_bytes].view(weight.dtype)
            if weight.is_channels_last:
                yield weight, flat.as_strided(weight.shape, weight.strides)
            else:
                yield weight, flat.view(weight.shape)


@dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """How a part lies in memory. `fixed` always stays on the device, `shelf` in the computer's
    memory; of the others those stay that `is_resident` says, in order; the rest is streamed through
    `slots` of the largest one's size."""

    fixed: Chunk
    shelf: Chunk
    chunks: tuple[Chunk, ...]
    is_resident: tuple[bool, ...]

    @property
    def resident(self) -> tuple[Chunk, ...]:
        """The chunks that stay on the device."""
        pairs = zip(self.chunks, self.is_resident, strict=True)
        return (self.fixed, *(chunk for chunk, is_resident in pairs if is_resident))

    @property
    def streamed(self) -> tuple[Chunk, ...]:
        """The chunks that lie in the computer's memory, in the order of their use."""
        pairs = zip(self.chunks, self.is_resident, strict=True)
        return tuple(chunk for chunk, is_resident in pairs if not is_resident)

    @property
    def shelves(self) -> tuple[Chunk, ...]:
        """The shelf, where something is on it."""
        return (self.shelf,) if self.shelf.weights else ()

    def is_like(self, other: Layout) -> bool:
        """Whether the same weights stay on the device."""
        return self.is_resident == other.is_resident and self.shelf.weights == other.shelf.weights

    @property
    def slots(self) -> tuple[int, ...]:
        """Sizes of the slots in bytes."""
        sizes = [chunk.size_bytes for chunk in self.streamed]
        return (max(sizes),) * min(SLOTS, len(sizes)) if sizes else ()

    @property
    def device_bytes(self) -> int:
        """What it takes of the device's memory."""
        return sum(chunk.size_bytes for chunk in self.resident) + sum(self.slots)

    @property
    def host_bytes(self) -> int:
        """What it takes of the computer's memory, pinned."""
        return sum(chunk.size_bytes for chunk in (*self.streamed, self.shelf))


def lay_out(
    table: WeightTable,
    layers: Sequence[str],
    resident_bytes: int | None = None,
    tables: Collection[str] = (),
    grain: Grain = Grain(),
) -> Layout:
    """The layout that takes at most `resident_bytes` of the device, slots included, or the least
    that there is; all of it without a limit. `layers` may be streamed, in the order of use;
    `tables` are looked up in."""
    owned = _by_layer(table, set(layers), grain.small_layer)
    size = sum(weight.size_bytes for weights in owned.values() for weight in weights)
    limit = min(grain.largest_chunk, max(grain.smallest_chunk, size // CHUNKS))
    streamable = {id(weight) for weights in owned.values() for weight in weights}
    rest = [weight for weight in table.weights if id(weight) not in streamable]
    chunks = tuple(_pack([(name, owned[name]) for name in layers if name in owned], limit))
    all_of_them = (True,) * len(chunks)
    whole = Layout(
        fixed=_chunk((), rest), shelf=_chunk((), ()), chunks=chunks, is_resident=all_of_them
    )
    if resident_bytes is None or whole.device_bytes <= resident_bytes:
        return whole
    shelved = [each for each in rest if _is_large_table(each, tables, grain.large_table)]
    fixed = _chunk((), (each for each in rest if each not in shelved))
    sizes = [chunk.size_bytes for chunk in chunks]
    slots = SLOTS * max(sizes, default=0)
    stays = spread(sizes, resident_bytes - fixed.size_bytes - slots)
    if fixed.size_bytes + sum(sizes) <= resident_bytes:  # without slots all others have room
        stays = all_of_them
    return Layout(fixed=fixed, shelf=_chunk((), shelved), chunks=chunks, is_resident=stays)


def spread(sizes: Sequence[int], resident_bytes: int) -> tuple[bool, ...]:
    """Which chunks stay: at most so many bytes, spread evenly, so that between two that are copied
    as many others are computed as can be. The first is the last to be streamed: it is computed
    while the first copy is under way."""
    total = sum(sizes)
    share = min(1.0, 1 - resident_bytes / total) if total else 0.0  # streamed
    stays: list[bool] = []
    owed = 0.0
    for size in sizes:
        owed += size * share
        stays.append(owed < size * (1 - 1e-9))
        owed -= 0 if stays[-1] else size
    left = sum(size for size, is_resident in zip(sizes, stays, strict=True) if is_resident)
    for index in reversed(range(len(sizes))):
        if left > max(0, resident_bytes) and stays[index]:
            stays[index] = False
            left -= sizes[index]
    return tuple(stays)


def streamable_layers(model: nn.Module) -> tuple[str, ...]:
    """The layers whose weights need to be there only while they run, as the model lists them.

    Only layers without others inside. Attention that reads the weights of a layer inside it
    without calling that layer is left out; so are tables of embeddings, which are large and read in
    a few rows.
    """
    blind = {
        f"{path}.{name}" if path else name
        for path, layer in model.named_modules()
        if isinstance(layer, nn.MultiheadAttention)
        for name, _ in layer.named_modules()
    }
    return tuple(
        path
        for path, layer in model.named_modules()
        if path not in blind
        and not any(True for _ in layer.children())
        and not isinstance(layer, nn.Embedding)
    )


def tables_of(model: nn.Module) -> tuple[str, ...]:
    """The layers that look up rows of a table."""
    return tuple(
        path
        for path, layer in model.named_modules()
        if isinstance(layer, nn.Embedding) and layer.max_norm is None
    )


def _is_large_table(weight: Weight, tables: Collection[str], large: int) -> bool:
    """Whether all layers that share a weight only look up rows of it, and it is large."""
    owners = {key.rpartition(".")[0] for key in weight.keys}
    return weight.size_bytes >= large and owners <= set(tables)


def _by_layer(
    table: WeightTable, layers: Collection[str], small: int
) -> Mapping[str, list[Weight]]:
    """The weights of each layer that is worth streaming: not the small ones."""
    owned: dict[str, list[Weight]] = {}
    for weight in table.weights:
        path = weight.keys[0].rpartition(".")[0]
        if len(weight.keys) == 1 and path in layers:
            owned.setdefault(path, []).append(weight)
    return {
        path: weights
        for path, weights in owned.items()
        if sum(weight.size_bytes for weight in weights) >= small
    }


def _pack(layers: Iterable[tuple[str, Sequence[Weight]]], limit: int) -> Iterator[Chunk]:
    names: list[str] = []
    weights: list[Weight] = []
    for name, more in layers:
        size = sum(_room(weight) for weight in (*weights, *more))
        if names and size > limit:
            yield _chunk(names, weights)
            names, weights = [], []
        names.append(name)
        weights.extend(more)
    if names:
        yield _chunk(names, weights)


def _chunk(layers: Iterable[str], weights: Iterable[Weight]) -> Chunk:
    held = tuple(weights)
    offsets: list[int] = []
    end = 0
    for weight in held:
        offsets.append(end)
        end += _room(weight)
    return Chunk(layers=tuple(layers), weights=held, offsets=tuple(offsets), size_bytes=end)


def _room(weight: Weight) -> int:
    return -(-weight.size_bytes // ALIGNMENT) * ALIGNMENT
