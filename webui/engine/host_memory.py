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
from pathlib import Path
from typing import Final

# the parameters' numbers in glibc's malloc.h, see mallopt(3)
TRIM_THRESHOLD: Final = -1
MMAP_THRESHOLD: Final = -3
ARENA_MAX: Final = -8

LARGE: Final = 64 << 20
"""Bytes from which on a piece is asked of the system, and given back, on its own: weights, and
pictures while they are decoded."""
NEVER: Final = (1 << 31) - 1
NO_OVERCOMMIT: Final = "2"


def keep_freed_memory() -> bool:
    """Keep what is freed for what comes; whether that can be had here. It holds for threads
    that start later: the others keep places of their own, of which whole parts go back whatever is
    said here. What the person set in the environment stays. Nothing is kept where the system counts
    addresses instead of what is in use: of those, too much would stay taken after a job that found
    no room."""
    library = _library()
    if library is None or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    if _are_addresses_counted():
        return False
    wanted = ((ARENA_MAX, 1), (MMAP_THRESHOLD, LARGE), (TRIM_THRESHOLD, NEVER))
    return all(library.mallopt(parameter, value) == 1 for parameter, value in wanted)


def give_back_freed_memory() -> None:
    """Give everything that is free to the system, wherever it lies; some ms for a gigabyte."""
    if library := _library():
        library.malloc_trim(0)


def _are_addresses_counted() -> bool:
    """Whether `ulimit -v` is set, or Linux promises no more memory than there is."""
    import resource  # not on Windows

    try:
        overcommit = Path("/proc/sys/vm/overcommit_memory").read_text().strip()
    except OSError:
        overcommit = ""
    is_limited = resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
    return is_limited or overcommit == NO_OVERCOMMIT


def _library() -> ctypes.CDLL | None:
    if platform.libc_ver()[0] != "glibc":
        return None
    return ctypes.CDLL(None)
