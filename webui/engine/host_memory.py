"""How the C library keeps the memory of this process. Linux's glibc alone can be told; elsewhere
these functions do nothing.

A step of a network on the processor asks for the same few hundred pieces of some megabytes and
frees them again. By default glibc gives such pieces back to the system, which fills each with zeros
when it is asked for the next time: a tenth of a step.
"""

from __future__ import annotations

import ctypes
import os
import platform
from typing import Final

# the parameters' numbers in glibc's malloc.h, see mallopt(3)
TRIM_THRESHOLD: Final = -1
MMAP_THRESHOLD: Final = -3
ARENA_MAX: Final = -8

LARGE: Final = 64 << 20
"""Bytes from which on a piece is asked of the system, and given back, on its own: weights, and
pictures while they are decoded."""
NEVER: Final = (1 << 31) - 1


def keep_freed_memory() -> bool:
    """Keep what is freed for what comes; whether that can be had here. It holds for threads
    that start later: the others keep places of their own, of which whole parts go back whatever is
    said here. What the person set in the environment stays."""
    library = _library()
    if library is None or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    wanted = ((ARENA_MAX, 1), (MMAP_THRESHOLD, LARGE), (TRIM_THRESHOLD, NEVER))
    return all(library.mallopt(parameter, value) == 1 for parameter, value in wanted)


def give_back_freed_memory() -> None:
    """Give everything that is free to the system, wherever it lies; some ms for a gigabyte."""
    if library := _library():
        library.malloc_trim(0)


def _library() -> ctypes.CDLL | None:
    if platform.libc_ver()[0] != "glibc":
        return None
    return ctypes.CDLL(None)
