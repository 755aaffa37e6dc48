"""The weights of one part of a model: on the device, streamed to it, or not in memory at all."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from webui.engine.weights.carrier import Carrier, Haul, Move
from webui.engine.weights.chunks import Grain, Layout, lay_out, streamable_layers, tables_of
from webui.engine.weights.host import HostBlock, HostMemory
from webui.engine.weights.master import Masters, keep
from webui.engine.weights.order import KnownOrders, OrderOfUse
from webui.engine.weights.row_table import RowTable
from webui.engine.weights.streamer import Streamer
from webui.families.stored import Stored
from webui.families.weight_table import Weight, WeightTable, layers_of, put

log = logging.getLogger(__name__)


class PartWeights:
    """Brings the weights of a model that was built without, and takes them away again.

    `place` reads them from their files, `release` gives all memory back; what was changed in
    between, by networks, is kept and comes back too. `generation` is another number after each:
    addresses that were captured before hold no longer.

    `retire` leaves them where they are, of no more worth; `adopt` takes other files' in their
    place, which overwrite them: addresses stay. Used by the engine's thread only.
    """

    def __init__(
        self,
        model: nn.Module,
        table: WeightTable,
        *,
        carrier: Carrier,
        host: HostMemory,
        grain: Grain,
        orders: KnownOrders,
    ) -> None:
        self._model: Final = weakref.ref(model)
        self._table: Final = table
        self._sources: Final[dict[Weight, Weight]] = {}
        self._carrier: Final = carrier
        self._host: Final = host
        self._grain: Final = grain
        owners = {weight.keys[0].rpartition(".")[0] for weight in table.weights}
        self._listed: Final = tuple(n for n in streamable_layers(model) if n in owners)
        self._tables: Final = tables_of(model)
        self._orders: Final = orders
        self._masters: Final = Masters(table.device, self._sources)
        self._layout: Layout | None = None
        self._streamer: Streamer | None = None
        self._seen: OrderOfUse | None = None
        self._blocks: list[HostBlock] = []
        self._hooks: list[RemovableHandle] = []
        self._rooms: Sequence[tuple[Weight, Tensor]] = ()
        self._held: Sequence[_Held] = ()
        self._haul: Haul | None = None
        self._is_filled = False
        self.generation = 0
        self._empty(model)

    @cached_property
    def total_bytes(self) -> int:
        """What it takes when all of it is on the device."""
        return self._laid_out(None).device_bytes

    @property
    def least_bytes(self) -> int:
        """What it takes of the device when as much as possible is streamed."""
        return self._laid_out(0).device_bytes

    @property
    def device_bytes(self) -> int:
        """What it takes of the device now."""
        return 0 if self._layout is None else self._layout.device_bytes

    @property
    def host_bytes(self) -> int:
        """What it takes of the computer's memory now, to be streamed from."""
        return 0 if self._layout is None else self._layout.host_bytes

    @property
    def table(self) -> WeightTable:
        """What its weights are made of now."""
        weights = tuple(map(self._source, self._table.weights))
        return replace(self._table, weights=weights)

    @property
    def build(self) -> str:
        """See WeightTable.build."""
        return self._table.build

    @property
    def is_placed(self) -> bool:
        """Whether the model can run."""
        return self._is_filled

    @property
    def is_streamed(self) -> bool:
        """Whether some of it is copied to the device in each forward."""
        return self._streamer is not None

    def place(self, resident_bytes: int | None = None) -> None:
        """Make the model ready to run with at most so many bytes of the device, slots for streaming
        included, or the least that it needs; without a limit all of it stays there.

        Nothing happens where that is so already. Raises ModelUnreadable, torch.OutOfMemoryError;
        the part is then released.
        """
        for _ in self.placing(resident_bytes):
            pass

    def placing(self, resident_bytes: int | None = None) -> Iterator[int]:
        """As `place`; yields the bytes read so far. Closed early it leaves the part released."""
        layout = self._laid_out(resident_bytes)
        is_there = self._layout is not None and self._layout.is_like(layout)
        if is_there and self._is_filled:
            return
        if not is_there:
            self.release()
        if self._model() is None:
            return
        try:
            yield from (self._refill() if is_there else self._bring(layout))
            self._host.placed()
        except BaseException:  # closing too: half a model must not stay
            self._layout = layout
            self.release()
            raise

    def reserve(self) -> None:
        """Take the room for all of it on the device, for an `adopt` or a `place` to come, which has
        nothing left to do but to read. Raises torch.OutOfMemoryError."""
        if self._layout is None:
            layout = self._laid_out(None)
            self._attach(layout, self._take(layout))

    def retire(self) -> None:
        """The model is not used any more: what was changed is forgotten. Its memory stays for
        `adopt`, or `release`."""
        self._stop()
        self._masters.retired()
        self._is_filled = False

    def adopt(self, table: WeightTable) -> bool:
        """Take the weights of another table of the same model, and begin to read them where room
        for them is; False where they have another form."""
        if len(table.weights) != len(self._table.weights):
            return False
        pairs = list(zip(self._table.weights, table.weights, strict=True))
        if not all(ours.is_like(theirs) for ours, theirs in pairs):
            return False
        self.retire()
        self._sources.update(pairs)
        if self._layout is not None and not all(each.is_there for each in self._held):
            self.release()  # someone has put others in their place
        elif self._layout is not None:
            self._haul = self._carrier.begin(self._moves(self._rooms))
        return True

    def release(self) -> None:
        """Give all memory back; the model can't run until it is placed again. What pinned memory
        it had waits in the pool for the next part."""
        if self._layout is None:
            return
        model = self._model()
        if model is None:  # the collector calls, maybe while a graph is captured: no waiting
            self._masters.forget()
            if self._haul is not None:
                self._haul.cancel()
                self._blocks.clear()  # one of them may be written to still
        else:
            self._stop()
            self._masters.released()
            self._empty(model)
        if self._seen is not None:
            self._seen.end()
        for hook in self._hooks:
            hook.remove()
        for block in self._blocks:
            self._host.give_back(block)
        self._hooks, self._blocks = [], []
        self._rooms = self._held = ()
        self._streamer = self._seen = self._layout = self._haul = None
        self._is_filled = False
        self.generation += 1
        if model is not None and self._table.device.type == "cuda":
            torch.cuda.empty_cache()

    def _stop(self) -> None:
        """Read no more."""
        if self._haul is not None:
            self._haul.end()
        self._haul = None

    def _source(self, weight: Weight) -> Weight:
        """What a weight is made of now."""
        return self._sources.get(weight, weight)

    def _laid_out(self, resident_bytes: int | None) -> Layout:
        layers = self._orders.of(self._listed) or self._listed
        return lay_out(self._table, layers, resident_bytes, self._tables, self._grain)

    def _bring(self, layout: Layout) -> Iterator[int]:
        memories = self._take(layout)
        yield from self._carrier.carry(self._moves(memories.rooms))
        self._attach(layout, memories)
        self._filled()

    def _refill(self) -> Iterator[int]:
        """Where the weights of another file lie, or some that are on their way already."""
        if self._haul is None:
            self._haul = self._carrier.begin(self._moves(self._rooms))
        yield from self._haul.progress()
        self._stop()
        self._filled()

    def _filled(self) -> None:
        """All weights are where they belong."""
        self._masters.placed(self._rooms, self._settle)
        self._is_filled = True

    @torch.inference_mode(False)
    def _take(self, layout: Layout) -> _Memories:
        """Memory for a layout. Patches change it outside of inference mode too."""
        on_host = (*layout.streamed, *layout.shelves)
        self._blocks = [self._host.take(chunk.size_bytes) for chunk in on_host]
        pairs = zip(on_host, self._blocks, strict=True)
        hosted = [block.memory[: chunk.size_bytes] for chunk, block in pairs]
        resident = [self._on_device(chunk.size_bytes) for chunk in layout.resident]
        chunks = (*layout.resident, *on_host)
        rooms = [
            room
            for chunk, memory in zip(chunks, (*resident, *hosted), strict=True)
            for room in chunk.rooms(memory)
        ]
        slots = [self._on_device(size) for size in layout.slots]
        return _Memories(rooms=rooms, streamed=hosted[: len(layout.streamed)], slots=slots)

    def _on_device(self, size_bytes: int) -> Tensor:
        return torch.empty(size_bytes, dtype=torch.uint8, device=self._table.device)

    @torch.inference_mode(False)
    def _moves(self, rooms: Sequence[tuple[Weight, Tensor]]) -> list[Move]:
        """What is to be read from files. What isn't there but in memory is brought at once."""
        moves: list[Move] = []
        for weight, room in rooms:
            changed = self._masters.changed(weight)
            if changed is not None:
                room.copy_(changed)
                continue
            for source, part in self._source(weight).parts(room):
                if isinstance(source, Stored):
                    moves.append(Move(source=source, room=part))
                else:
                    part.copy_(source.reshape(part.shape))
        return moves

    @torch.inference_mode(False)
    def _attach(self, layout: Layout, memories: _Memories) -> None:
        model = self._model()
        if model is None:
            return
        self._layout = layout
        self.generation += 1
        inside: dict[Weight, Tensor] = {}
        if memories.slots:
            self._streamer = Streamer(memories.streamed, memories.slots)
            for index, chunk in enumerate(layout.streamed):
                inside.update(chunk.rooms(memories.slots[self._streamer.slot_of(index)]))
            self._hook(model, layout, self._streamer)
        rooms = dict(memories.rooms)
        for weight in layout.shelf.weights:
            inside[weight] = rooms[weight][:1].to(self._table.device, copy=True)
            self._look_up(model, weight, rooms[weight])
        held, layers = [], layers_of(model)
        for weight, room in memories.rooms:
            seen = put(layers, weight, inside.get(weight, room))
            keep(seen, self._masters, weight)
            if weight not in layout.shelf.weights:  # rows of these come and go
                held.append(_Held(layers, weight, seen))
        self._rooms, self._held = memories.rooms, held

    @property
    def _settle(self) -> Callable[[], None] | None:
        return None if self._streamer is None else self._streamer.settle

    def _hook(self, model: nn.Module, layout: Layout, streamer: Streamer) -> None:
        add = self._hooks.append
        add(model.register_forward_pre_hook(partial(_begin, streamer)))
        for index, chunk in enumerate(layout.streamed):
            for name in chunk.layers:
                enter = partial(_enter, streamer, index)
                add(model.get_submodule(name).register_forward_pre_hook(enter))
        add(model.register_forward_hook(partial(_end, streamer)))
        if self._orders.of(self._listed) is None:
            self._seen = seen = OrderOfUse(model, self._listed)
            add(model.register_forward_hook(partial(self._learned, seen)))

    def _look_up(self, model: nn.Module, weight: Weight, memory: Tensor) -> None:
        """Let the layers that have this table get their rows from memory."""
        table = RowTable(memory, self._table.device)
        for key in weight.keys:
            layer = model.get_submodule(key.rpartition(".")[0])
            self._hooks.append(layer.register_forward_pre_hook(table, with_kwargs=True))

    def _learned(self, seen: OrderOfUse, *_: Any) -> None:
        """After the first streamed forward: place the part anew if its layers ran in another order
        than that in which they lie. Not while a graph is captured, whose addresses must stay."""
        before = self._layout
        if before is None or seen.is_over or _is_capturing(self._table.device):
            return
        seen.end()
        if self._orders.of(self._listed) is None:
            self._orders.learned(self._listed, seen.layers)
        wanted = self._laid_out(before.device_bytes)
        if [chunk.layers for chunk in wanted.chunks] != [chunk.layers for chunk in before.chunks]:
            log.debug("Placing %s anew, in the order of use.", self._table.name)
            self.release()
            self.place(before.device_bytes)

    def _empty(self, model: nn.Module) -> None:
        layers = layers_of(model)
        for weight in self._table.weights:
            keep(put(layers, weight, weight.empty("meta")), self._masters, weight)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Memories:
    """What a layout lies in: each weight's room, the chunks to be streamed, and the slots."""

    rooms: Sequence[tuple[Weight, Tensor]]
    streamed: Sequence[Tensor]
    slots: Sequence[Tensor]


class _Held:
    """A tensor of a model, as it was put there."""

    def __init__(self, layers: Mapping[str, nn.Module], weight: Weight, tensor: Tensor) -> None:
        path, _, self._name = weight.keys[0].rpartition(".")
        self._layer: Final = layers[path]
        self._form: Final = tensor.data_ptr(), tensor.dtype

    @property
    def is_there(self) -> bool:
        """Whether the model still has it."""
        now: Tensor = getattr(self._layer, self._name)
        return (now.data_ptr(), now.dtype) == self._form


def _begin(streamer: Streamer, *_: Any) -> None:
    streamer.begin()


def _enter(streamer: Streamer, chunk: int, *_: Any) -> None:
    streamer.enter(chunk)


def _end(streamer: Streamer, *_: Any) -> None:
    streamer.end()


def _is_capturing(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.is_current_stream_capturing()
