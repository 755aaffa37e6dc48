"""Carries tensors from files to where they belong: many threads read, the device converts.

Each thread fills a block of a small ring. To memory on the computer a block's tensors are copied
from there, or read directly where nothing changes; to a GPU the block goes as a whole, and is taken
apart and converted there, beside the reading of the next ones.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    FIRST_EXCEPTION,
    Future,
    ThreadPoolExecutor,
    wait,
)
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import BinaryIO, Final

import torch
from torch import Tensor

from webui.core.errors import ModelUnreadable
from webui.engine.weights.host import HostBlock, HostMemory
from webui.families.stored import Stored, WeightFile, damaged
from webui.families.weight_table import Weight, bytes_of, element_type

BLOCKS_PER_THREAD: Final = 2
"""One is read into while the other is copied from."""
MOST_THREADS: Final = 8
"""Eight threads read 17.8 GB/s from the page cache where four read 13."""
LANES: Final = 2
TURN_S: Final = 0.03
"""How often progress is told."""
WIDEST_GAP_BYTES: Final = 64 * 2**10
"""Bytes between two tensors that are read too, so that both come at once."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Move:
    """A tensor in a file, and the room for it in memory: same rows, maybe of another type."""

    source: Stored
    room: Tensor

    @property
    def end(self) -> int:
        """The file's first byte behind it."""
        return self.source.offset + self.source.size_bytes

    @property
    def is_direct(self) -> bool:
        """Whether the file's bytes are the memory's."""
        room = self.room
        is_same = room.dtype == element_type(self.source) and room.is_contiguous()
        return is_same and room.device.type == "cpu"


Batch = tuple[Move, ...]
"""Moves of which the sources lie close together in one file."""


class Carrier:
    """Reads with several threads, for several parts at a time. Begun and ended by one thread."""

    def __init__(
        self,
        device: torch.device,
        host: HostMemory,
        threads: int | None,
        block_bytes: int,
    ) -> None:
        self._device: Final = device
        self._host: Final = host
        self._threads: Final = threads or min(MOST_THREADS, os.cpu_count() or 1)
        self._block_bytes: Final = block_bytes
        self._ring: _Ring | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._hauls: Final[list[Haul]] = []

    def begin(self, moves: Iterable[Move]) -> Haul:
        """Have the moves done, behind those that are begun already."""
        for haul in tuple(self._hauls):
            if haul.is_cancelled:  # by the collector, which must not wait
                haul.end()
        pieces = [piece for move in moves for piece in split(move, self._block_bytes)]
        batches = batched(pieces, self._block_bytes)
        ring, pool = self._ready(sum(not batch[0].is_direct for batch in batches))
        tasks = [pool.submit(ring.bring, batch) for batch in batches]
        files = {piece.source.file for piece in pieces}
        haul = Haul(tasks=tasks, files=tuple(files), when_over=self._over)
        self._hauls.append(haul)
        return haul

    def carry(self, moves: Iterable[Move]) -> Iterator[int]:
        """Do the moves; yields the bytes read so far. Closing the generator ends the reading.
        Raises ModelUnreadable."""
        haul = self.begin(moves)
        try:
            yield from haul.progress()
        finally:
            haul.end()

    def prepare(self) -> None:
        """Pin the memory that moves go through: it waits for the first of them."""
        self._ready(BLOCKS_PER_THREAD * self._threads)
        self._close_unused()

    def _ready(self, through_blocks: int) -> tuple[_Ring, ThreadPoolExecutor]:
        """What does the moves, with blocks for so many of them."""
        if self._ring is None:
            self._ring = _Ring(self._device, self._host, self._block_bytes)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads)
        try:
            self._ring.prepare(min(through_blocks, BLOCKS_PER_THREAD * self._threads))
        except BaseException:
            self._close_unused()
            raise
        return self._ring, self._pool

    def _over(self, haul: Haul) -> None:
        """What it read is in its place."""
        self._hauls.remove(haul)
        if self._ring is not None:
            self._ring.wait()
        self._close_unused()

    def _close_unused(self) -> None:
        if self._hauls:
            return
        if self._pool is not None:
            self._pool.shutdown()
        if self._ring is not None:
            self._ring.close()
        self._ring = self._pool = None


class Haul:
    """Moves under way. Whoever began them ends them."""

    def __init__(
        self,
        *,
        tasks: Sequence[Future[int]],
        files: Sequence[WeightFile],
        when_over: Callable[[Haul], None],
    ) -> None:
        self._tasks: Final = tasks
        self._files: Final = files
        self._when_over: Final = when_over
        self._is_over = False
        self.is_cancelled = False

    def progress(self) -> Iterator[int]:
        """The bytes read so far, until all are. Raises ModelUnreadable."""
        yield from _finished(self._tasks)
        for file in self._files:
            file.check()

    def cancel(self) -> None:
        """Begin no more of them; without waiting."""
        self.is_cancelled = True
        for task in self._tasks:
            task.cancel()

    def end(self) -> None:
        """Stop, if they are not done, and wait for what is under way."""
        if self._is_over:
            return
        self._is_over = True
        self.cancel()
        wait(self._tasks)
        self._when_over(self)


class _Ring:
    """Blocks that are filled by threads, emptied by the device, and filled again."""

    def __init__(self, device: torch.device, host: HostMemory, block_bytes: int) -> None:
        self._device: Final = device
        self._host: Final = host
        self._block_bytes: Final = block_bytes
        self._blocks: Final[list[HostBlock]] = []
        self._files: Final = _OpenFiles()
        self._free: Final[queue.SimpleQueue[tuple[Tensor, torch.cuda.Event | None]]] = (
            queue.SimpleQueue()
        )
        self._lanes: Final[list[_Lane]] = []
        self._next: Final[queue.SimpleQueue[_Lane]] = queue.SimpleQueue()

    def prepare(self, blocks: int) -> None:
        """Have at least so many blocks, and begin only after what the device is doing now."""
        while len(self._blocks) < blocks:
            self._blocks.append(self._host.take(self._block_bytes))
            self._free.put((self._blocks[-1].memory, None))
        while self._device.type == "cuda" and self._blocks and len(self._lanes) < LANES:
            self._lanes.append(_Lane(self._device, self._block_bytes))
            self._next.put(self._lanes[-1])
        for lane in self._lanes:  # the rooms may be memory that kernels under way still use
            lane.stream.wait_stream(torch.cuda.current_stream(self._device))

    def close(self) -> None:
        """Give the blocks back."""
        self._files.close()
        for block in self._blocks:
            self._host.give_back(block)

    def bring(self, batch: Batch) -> int:
        """Do the moves of a batch; the number of bytes read. Any thread."""
        first = batch[0]
        if first.is_direct:
            self._files.read(first.source, first.source.size_bytes, bytes_of(first.room))
            return first.source.size_bytes
        begin, size = first.source.offset, batch[-1].end - first.source.offset
        memory, emptied = self._free.get()
        try:
            if emptied is not None:
                emptied.synchronize()
            filled = memory[:size] if size <= len(memory) else torch.empty(size, dtype=torch.uint8)
            self._files.read(first.source, size, bytes_of(filled))
            emptied = self._empty(batch, filled, begin)
        finally:
            self._free.put((memory, emptied))
        return size

    def wait(self) -> None:
        """Until all copies to the device are done."""
        for lane in self._lanes:
            lane.stream.synchronize()

    def _empty(self, batch: Batch, filled: Tensor, begin: int) -> torch.cuda.Event | None:
        device = batch[0].room.device.type
        if device != "cuda":
            if device == "cpu":
                _scatter(batch, filled, begin)
            else:  # those that can't convert every type have it converted here
                for move in batch:
                    move.room.copy_(_tensor(move, filled, begin).to(move.room.dtype))
            return None
        lane = self._next.get()
        try:
            return lane.send(batch, filled, begin)
        finally:
            self._next.put(lane)


class _OpenFiles:
    """Files that are read from, each opened once. Usable from any thread."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._stack: Final = ExitStack()
        self._known: Final[dict[WeightFile, BinaryIO]] = {}

    def read(self, source: Stored, size: int, target: memoryview) -> None:
        """Fill `target` with so many bytes. Raises ModelUnreadable."""
        if not hasattr(os, "preadv"):  # a file that is open has one place where it is read from
            _read(source, size, target)
            return
        number, filled = self._opened(source.file).fileno(), 0
        while filled < size:
            try:
                count = os.preadv(number, [target[filled:size]], source.offset + filled)
            except OSError as error:
                why = error.strerror or str(error)
                raise damaged(source.file.model, source.file.path, why) from error
            if not count:
                why = "it ends in the middle of its weights"
                raise damaged(source.file.model, source.file.path, why)
            filled += count

    def close(self) -> None:
        """Close all; that they changed meanwhile is for others to notice."""
        with suppress(ModelUnreadable):
            self._stack.close()

    def _opened(self, file: WeightFile) -> BinaryIO:
        with self._lock:
            if file not in self._known:
                self._known[file] = self._stack.enter_context(file.opened())
            return self._known[file]


class _Lane:
    """A copy stream and the memory on the device where what it brings is taken apart."""

    def __init__(self, device: torch.device, block_bytes: int) -> None:
        self._device: Final = device
        with torch.inference_mode(False):  # the threads that fill it are not in that mode
            self._staging: Final = torch.empty(block_bytes, dtype=torch.uint8, device=device)
        self.stream: Final = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def send(self, batch: Batch, filled: Tensor, begin: int) -> torch.cuda.Event:
        """Begin to copy. The event is when `filled` is free again. In order on one stream, so that
        the staging memory needs no waiting."""
        copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
        with torch.cuda.device(self._device), torch.cuda.stream(self.stream):
            if len(filled) > len(self._staging):  # one row larger than a block: hardly ever
                staged = filled.to(self._device)
            else:
                staged = self._staging[: len(filled)]
                staged.copy_(filled, non_blocking=True)
            copied.record(self.stream)
            _scatter(batch, staged, begin)
        return copied


def read_now(weight: Weight) -> Tensor:
    """A single weight, in the computer's memory. Raises ModelUnreadable."""
    room = weight.empty("cpu")
    for source, part in weight.parts(room):
        if not isinstance(source, Stored):
            part.copy_(source.reshape(part.shape))
            continue
        filled = torch.empty(source.shape, dtype=element_type(source))
        _read(source, source.size_bytes, bytes_of(filled))
        part.copy_(filled.reshape(part.shape))
    return room


def split(move: Move, limit: int) -> Iterator[Move]:
    """The move in pieces of whole rows, none larger than `limit` bytes if a row is not."""
    size = move.source.size_bytes
    if size == 0:
        return
    if size <= limit or not move.source.shape:
        yield move
        return
    if _is_flat(move):
        count = move.room.numel()
        move = Move(source=replace(move.source, shape=(count,)), room=move.room.view(count))
    elif move.room.shape != move.source.shape:  # a 1x1 convolution that serves as a linear layer
        move = Move(source=replace(move.source, shape=tuple(move.room.shape)), room=move.room)
    rows = move.source.shape[0]
    step = max(1, limit * rows // size)
    for start in range(0, rows, step):
        stop = min(rows, start + step)
        yield Move(source=move.source.rows(start, stop), room=move.room[start:stop])


def batched(moves: Iterable[Move], limit: int) -> list[Batch]:
    """Moves that can be read at once, none longer than `limit` bytes if a move is not."""
    batches: list[list[Move]] = []
    for move in sorted(moves, key=_place):
        if batches and _goes_along(batches[-1], move, limit):
            batches[-1].append(move)
        else:
            batches.append([move])
    return [tuple(batch) for batch in batches]


def _place(move: Move) -> tuple[str, str, int]:
    return str(move.source.file.path), move.room.device.type, move.source.offset


def _goes_along(batch: Sequence[Move], move: Move, limit: int) -> bool:
    first, last = batch[0], batch[-1]
    begin = first.source.offset
    return (
        move.source.file == first.source.file
        and move.room.device == first.room.device
        and not (first.is_direct or move.is_direct)
        and move.source.offset - last.end <= WIDEST_GAP_BYTES
        and max(move.end, last.end) - begin <= limit
        and (move.source.offset - begin) % element_type(move.source).itemsize == 0
        and move.end >= last.end
    )


def _is_flat(move: Move) -> bool:
    return move.room.is_contiguous()


def _scatter(batch: Batch, filled: Tensor, begin: int) -> None:
    """Put each tensor of a batch into its room. In one go: a launch for each would take as long as
    the reading."""
    rooms = [move.room for move in batch]
    torch._foreach_copy_(rooms, [_tensor(move, filled, begin) for move in batch])


def _tensor(move: Move, filled: Tensor, begin: int) -> Tensor:
    start = move.source.offset - begin
    raw = filled[start : start + move.source.size_bytes]
    return raw.view(element_type(move.source)).reshape(move.room.shape)


def _read(source: Stored, size: int, target: memoryview) -> None:
    with source.file.opened() as file:
        source.file.read_into(file, source.offset, target[:size])


def _finished(tasks: Sequence[Future[int]]) -> Iterator[int]:
    """The bytes done so far, now and then: who waits wakes up seldom, for it takes turns with those
    who read."""
    pending, bytes_done, when = set(tasks), 0, FIRST_COMPLETED
    while pending:
        done, pending = wait(pending, timeout=TURN_S, return_when=when)
        when = FIRST_EXCEPTION
        if done:
            bytes_done += sum(task.result() for task in done)
            yield bytes_done
