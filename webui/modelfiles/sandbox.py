"""Takes from this process what it does not need, before it reads what a stranger wrote.

After `seal` it can read and write the files it has open, and compute. It can open nothing, reach
no network, start nothing: on Linux the kernel refuses it (seccomp), everywhere Python does (an
audit hook, which holds for all but native code).
"""

from __future__ import annotations

import ctypes
import platform
import struct
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NoReturn

NUMBERS: Final[Mapping[str, tuple[int, tuple[int, ...]]]] = MappingProxyType(
    {
        "x86_64": (
            0xC000003E,
            (
                *(0, 1, 3, 5, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18, 24, 25, 28, 35, 39, 60, 74, 75),
                *(77, 131, 186, 202, 228, 230, 231, 273, 318, 334),
            ),
        ),
        "aarch64": (
            0xC00000B7,
            (
                *(63, 64, 57, 80, 62, 222, 226, 215, 214, 134, 135, 139, 67, 68, 124, 216, 233),
                *(101, 172, 93, 82, 83, 46, 132, 178, 98, 113, 115, 94, 99, 278, 293),
            ),
        ),
    }
)
"""The kernel's name of the machine, and the calls that are left: read, write, close, fstat, lseek,
mmap, mprotect, munmap, brk, signals, pread, pwrite, yield, mremap, madvise, sleep, getpid, exit,
fsync, fdatasync, ftruncate, sigaltstack, gettid, futex, clocks, getrandom, rseq, robust lists."""

INSTRUCTION: Final = struct.Struct("=HBBI")
LOAD, IS_EQUAL, ANSWER = 0x20, 0x15, 0x06
ALLOW: Final = 0x7FFF0000
REFUSE: Final = 0x00050001
"""The call fails with EPERM."""
NUMBER_AT, MACHINE_AT = 0, 4
NO_NEW_PRIVILEGES: Final = 38
SET_SECCOMP: Final = 22
FILTER_MODE: Final = 2
HARMLESS: Final = ("object.__getattr__", "builtins.id", "sys._getframe", "gc.")
"""What Python does all the time and tells its hooks."""


def limit(memory_bytes: int, file_bytes: int, seconds: int) -> None:
    """Bound memory, the size of what is written, and processor time. Windows has no such limits:
    there the parent ends a process that takes too long."""
    if sys.platform == "win32":
        return
    import resource

    for what, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_NOFILE, 16),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(what, (most, most))
        except (ValueError, OSError):
            continue  # macOS does not bound address space


def seal() -> bool:
    """Give up everything but the open files, for good. Whether the kernel took part."""
    is_sealed = sys.platform == "linux" and _filter_calls()
    sys.addaudithook(_refuse)
    return is_sealed


def _refuse(event: str, _: tuple[object, ...]) -> None:
    if not event.startswith(HARMLESS):
        _deny(event)


def _deny(event: str) -> NoReturn:
    raise PermissionError(f"The converter may not do this: {event}.")


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def _filter_calls() -> bool:
    """seccomp with a list of what is allowed (man 2 seccomp). False where it can't be had."""
    known = NUMBERS.get(platform.machine())
    if known is None or sys.byteorder != "little":
        return False
    machine, allowed = known
    steps = [(LOAD, 0, 0, MACHINE_AT), (IS_EQUAL, 1, 0, machine), (ANSWER, 0, 0, REFUSE)]
    steps.append((LOAD, 0, 0, NUMBER_AT))
    for left, number in zip(range(len(allowed), 0, -1), allowed, strict=True):
        steps.append((IS_EQUAL, left, 0, number))
    steps += [(ANSWER, 0, 0, REFUSE), (ANSWER, 0, 0, ALLOW)]
    code = b"".join(INSTRUCTION.pack(*step) for step in steps)
    program = _Program(len(steps), code)
    control = ctypes.CDLL(None).prctl
    if control(NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        return False
    return bool(control(SET_SECCOMP, FILTER_MODE, ctypes.byref(program), 0, 0) == 0)
