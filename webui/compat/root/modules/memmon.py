"""A look at the device's memory."""

from __future__ import annotations

import sys
from typing import Any

from webui.compat.missing import unprovided


class MemUsageMonitor:
    """How much of it is in use, in MiB; nothing where there is no GPU."""

    def __init__(self, name: str = "MemMon", device: Any = None, opts: Any = None) -> None:
        self.name, self.device, self.opts = name, device, opts
        self.data: dict[str, int] = {}
        self.disabled = not _has_gpu()

    def cuda_mem_get_info(self) -> tuple[int, int]:
        """Free bytes, and all."""
        torch = sys.modules["torch"]
        free, total = torch.cuda.mem_get_info()
        return int(free), int(total)

    def monitor(self) -> None:
        """Begin to look."""
        if not self.disabled:
            sys.modules["torch"].cuda.reset_peak_memory_stats()

    def read(self) -> dict[str, int]:
        """What was seen."""
        if self.disabled:
            return {}
        free, total = self.cuda_mem_get_info()
        cuda = sys.modules["torch"].cuda
        self.data = {
            "free": free,
            "total": total,
            "active": cuda.memory_allocated(),
            "active_peak": cuda.max_memory_allocated(),
            "reserved_peak": cuda.max_memory_reserved(),
            "system_peak": total - free,
        }
        return self.data

    def stop(self) -> dict[str, int]:
        """What was seen, for the last time."""
        return self.read()

    def start(self) -> None:
        """Nothing runs beside."""

    def dump_debug(self) -> None:
        """Nothing to tell."""


def _has_gpu() -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and torch.cuda.is_available()


__getattr__ = unprovided(__name__)
