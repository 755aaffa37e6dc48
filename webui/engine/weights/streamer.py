"""Copies chunks of weights to the device in each forward, ahead of their use.

A ring of slots with fixed addresses, one copy stream, and events between the two: nothing waits on
the host, so a forward can be captured in a CUDA graph and replayed. Where the device is the CPU
the slots are plain memory and a copy is done when it is asked for; all else is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor


class Streamer:
    """One part's chunks and the slots they go through. Chunk i is always in slot i modulo their
    number. Used by the engine's thread only."""

    def __init__(self, chunks: Sequence[Tensor], slots: Sequence[Tensor]) -> None:
        self._chunks: Final = tuple(chunks)
        self._slots: Final = tuple(slots)
        device = slots[0].device
        self._device: Final = device
        self._stream: Final = _copy_stream(device)
        self._ready: Final[dict[int, torch.cuda.Event]] = {}
        self._unused: Final[set[int]] = set()
        self._held: Final[dict[int, int]] = {}
        self._current = -1

    def slot_of(self, chunk: int) -> int:
        """The slot that a chunk is copied to."""
        return chunk % len(self._slots)

    def begin(self) -> None:
        """A forward begins: nothing is in the slots, whatever was there. So what a graph captures
        from here on holds all copies that it needs."""
        self._forget()
        for chunk in range(len(self._slots)):
            self._fetch(chunk)

    def enter(self, chunk: int) -> None:
        """A layer of this chunk runs next. Also for chunks out of order, at the price of waiting
        for their copy."""
        if chunk == self._current:
            return
        self._current = chunk
        for wanted in range(chunk, min(chunk + len(self._slots), len(self._chunks))):
            if self._held.get(self.slot_of(wanted)) != wanted:
                self._fetch(wanted)
        self._wait(self.slot_of(chunk))

    def end(self) -> None:
        """The forward is done. Copies that no layer waited for, because it was left out, are
        waited for here: a capture must not end with a stream astray."""
        for slot in tuple(self._unused):
            self._wait(slot)
        self._forget()  # of a capture, nothing of it holds outside

    def settle(self) -> None:
        """Wait until nothing is copied any more, by replayed graphs neither, and copy anew at the
        next use: chunks may be changed now."""
        if self._stream is not None:
            torch.cuda.synchronize(self._device)
        self._forget()

    def _forget(self) -> None:
        self._held.clear()
        self._unused.clear()
        self._current = -1

    def _fetch(self, chunk: int) -> None:
        slot = self.slot_of(chunk)
        source = self._chunks[chunk]
        target = self._slots[slot][: len(source)]
        self._held[slot] = chunk
        if self._stream is None:
            target.copy_(source)
            return
        passed = torch.cuda.Event()  # type: ignore[no-untyped-call]
        passed.record(torch.cuda.current_stream(self._device))
        self._stream.wait_event(passed)  # what was in the slot is used up
        with torch.cuda.stream(self._stream):
            target.copy_(source, non_blocking=True)
            self._ready[slot] = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._ready[slot].record(self._stream)
        self._unused.add(slot)

    def _wait(self, slot: int) -> None:
        self._unused.discard(slot)
        if self._stream is not None:
            torch.cuda.current_stream(self._device).wait_event(self._ready[slot])


def _copy_stream(device: torch.device) -> torch.cuda.Stream | None:
    """None where copies need no stream of their own."""
    if device.type != "cuda":
        return None
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
