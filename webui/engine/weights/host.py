"""Blocks of the computer's memory from which a GPU can copy by itself (pinned), reused.

Pinning takes 0.39 s a GiB, so blocks are kept for the next use until `release`. They are mapped and
registered by us and not taken from torch, whose pool rounds sizes up to powers of two and keeps
them for good.
"""

from __future__ import annotations

import logging
import mmap
import threading
import weakref
from contextlib import suppress
from typing import Any, Final

import torch
from torch import Tensor

log = logging.getLogger(__name__)

KEPT_PLACINGS: Final = 8
"""A block that no part took in so many placings is given back."""
GRAIN_BYTES: Final = 2 * 2**20
"""Sizes are multiples, so that a block serves many chunks and large pages fit."""


class HostBlock:
    """Some memory. `memory` is a tensor of bytes; it is not to be used after `close`, which also
    happens when nobody holds the block any more."""

    def __init__(self, size_bytes: int, is_pinned: bool) -> None:
        pages = _pages(size_bytes)
        if hasattr(mmap, "MADV_HUGEPAGE"):
            pages.madvise(mmap.MADV_HUGEPAGE)
        with torch.inference_mode(False):  # whoever fills it may not be in that mode
            self.memory: Final = torch.frombuffer(pages, dtype=torch.uint8)
        self.size_bytes: Final = size_bytes
        self.is_pinned: Final = is_pinned and _pin(self.memory)
        self.close: Final = weakref.finalize(self, _unpin, self.memory.data_ptr(), self.is_pinned)
        self.close.atexit = False  # the driver is gone by then, and takes the pins with it


class HostMemory:
    """The blocks of one engine. Usable from any thread."""

    def __init__(self, device: torch.device) -> None:
        self._is_pinned: Final = device.type == "cuda"
        self._lock: Final = threading.RLock()  # the collector may give blocks back at any time
        self._placings = 0
        self._idle: Final[dict[HostBlock, int]] = {}

    @property
    def idle_bytes(self) -> int:
        """What is kept for the next use."""
        with self._lock:
            return sum(block.size_bytes for block in self._idle)

    def take(self, size_bytes: int) -> HostBlock:
        """A block of at least this size; an idle one if one fits without much waste."""
        wanted = max(1, -(-size_bytes // GRAIN_BYTES)) * GRAIN_BYTES
        with self._lock:
            fitting = [
                each for each in tuple(self._idle) if wanted <= each.size_bytes <= 2 * wanted
            ]
            if fitting:
                best = min(fitting, key=lambda block: block.size_bytes)
                del self._idle[best]
                return best
        return HostBlock(wanted, self._is_pinned)

    def give_back(self, block: HostBlock) -> None:
        """Keep a block for the next use. Nothing may still be copied from it."""
        with self._lock:
            self._idle[block] = self._placings

    def placed(self) -> None:
        """A part has taken what it needs: blocks that nobody needed for long are given back."""
        with self._lock:
            self._placings += 1
            for block, since in tuple(self._idle.items()):
                if self._placings - since >= KEPT_PLACINGS:
                    block.close()
                    del self._idle[block]

    def release(self) -> None:
        """Give the idle blocks back to the system."""
        with self._lock:
            for block in self._idle:
                block.close()
            self._idle.clear()


def _pages(size_bytes: int) -> mmap.mmap:
    """Memory that begins and ends with a page: pinning goes by pages."""
    if hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return mmap.mmap(-1, size_bytes)


def _pin(memory: Tensor) -> bool:
    """Whether the memory could be pinned; copies from memory that isn't are slower, not wrong."""
    error = _driver().cudaHostRegister(memory.data_ptr(), memory.numel(), 0)
    if int(error) != 0:
        log.warning("Memory can't be pinned (error %d): loading will be slower.", int(error))
        with suppress(RuntimeError):  # the driver tells the next one who asks as well
            torch.zeros(1, device="cuda")
        return False
    return True


def _unpin(address: int, is_pinned: bool) -> None:
    if is_pinned:
        _driver().cudaHostUnregister(address)


def _driver() -> Any:
    return torch.cuda.cudart()  # type: ignore[no-untyped-call]
