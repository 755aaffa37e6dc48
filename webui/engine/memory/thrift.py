"""Goes on when memory is short: the same work in smaller pieces, at the place where it failed.

Nothing that was done is done again: only the call that found no room is repeated, with one thing
after the other given up. First what is merely kept for later, then rows that go through the network
together, or a VAE's whole picture at once; last the weights' place on the device.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

import torch
from torch import Tensor

from webui.engine.memory.shortage import is_out_of_memory

log = logging.getLogger(__name__)

T = TypeVar("T")

TILES: Final = (64, 32, 16)
"""Sides of a VAE's tiles, in cells of the latent: from 512 pixels down to 128."""


@dataclass(frozen=True, kw_only=True)
class Frugality:
    """What was given up so far. The default gives up nothing."""

    rows: int | None = None
    """So many rows go through the network together at most."""
    tile: int | None = None
    """Side of the tiles in which the VAE works, in cells; None for all at once."""

    def words(self) -> tuple[str, ...]:
        """What is said of it with a picture."""
        found = []
        if self.rows is not None:
            found.append(f"the network took {self.rows} at a time")
        if self.tile is not None:
            found.append(f"the VAE worked in tiles of {self.tile} cells")
        return tuple(found)


class Room(Protocol):
    """Whoever keeps things in the device's memory."""

    def give_back(self) -> None:
        """Free what is kept for later only."""
        ...

    def stream_more(self) -> bool:
        """Move weights of the model in use off the device; False when none are left there."""
        ...


class Thrift:
    """The frugality of one batch. Used by the engine's thread only."""

    def __init__(self, room: Room, start: Frugality | None = None) -> None:
        """`start`: what is known to be needed."""
        self._room: Final = room
        self.frugality = start or Frugality()
        self.has_streamed_more = False
        self.steps_bytes = 0
        """The most that a network's steps took beside the weights."""

    def rows(self, count: int, call: Callable[[int, int], Tensor]) -> Tensor:
        """What `call(start, stop)` gives for all rows, in as few calls as memory has room for."""

        def all_rows() -> Tensor:
            size = min(self.frugality.rows or count, count)
            pieces = [call(i, min(i + size, count)) for i in range(0, count, size)]
            return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

        def fewer() -> bool:
            size = min(self.frugality.rows or count, count)
            if size <= 1:
                return False
            self.frugality = Frugality(rows=size // 2, tile=self.frugality.tile)
            return True

        return self._until_it_fits(all_rows, fewer)

    def tiled(self, cells: int, call: Callable[[int | None], T]) -> T:
        """What `call(tile)` gives of a VAE, in tiles as large as memory has room for. `cells`: the
        longer side of the latent."""

        def smaller() -> bool:
            now = self.frugality.tile or cells
            tile = next((tile for tile in TILES if tile < now), None)
            if tile is None:
                return False
            self.frugality = Frugality(rows=self.frugality.rows, tile=tile)
            return True

        return self._until_it_fits(lambda: call(self.frugality.tile), smaller)

    def expect_tile(self, tile: int | None) -> None:
        """Begin with tiles of this size, or smaller ones where those have been needed."""
        now = self.frugality.tile
        if tile is not None and (now is None or tile < now):
            self.frugality = Frugality(rows=self.frugality.rows, tile=tile)

    def whole(self, call: Callable[[], T]) -> T:
        """What `call` gives, which can't be had in pieces."""
        return self._until_it_fits(call, lambda: False)

    def words(self) -> tuple[str, ...]:
        """What is said of it with a picture."""
        more = ("more of the weights were streamed",) if self.has_streamed_more else ()
        return (*self.frugality.words(), *more)

    def _until_it_fits(self, call: Callable[[], T], give_up: Callable[[], bool]) -> T:
        has_given_back = False
        while True:
            try:
                return call()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                failure: Exception = error.with_traceback(None)
            # only now, without the traceback, is the memory of the call unused
            self._room.give_back()
            if not has_given_back:
                has_given_back = True
            elif not give_up() and not self._stream_more():
                raise failure
            log.info("Out of memory; going on with %s.", "; ".join(self.words()) or "what was kept")

    def _stream_more(self) -> bool:
        found = self._room.stream_more()
        self.has_streamed_more = self.has_streamed_more or found
        return found
