"""How errors say that memory is short, and how what is unused is given back."""

from __future__ import annotations

import gc
from typing import Final

import torch

from webui.engine.host_memory import give_back_freed_memory

OUT_OF_MEMORY: Final = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "could not create a primitive",
    "could not execute a primitive",
)
"""The last two are oneDNN's, which computes on processors: it found no room for its code, or for
what it notes down while it works. It names no reason."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the device or the computer has too little memory."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in OUT_OF_MEMORY)


def free_memory() -> None:
    """Give back what nothing uses any more, to the device and to the system."""
    gc.collect()
    give_back_freed_memory()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()
    elif torch.xpu.is_available():
        torch.xpu.empty_cache()
