"""How much of a device's memory is left for this process."""

from __future__ import annotations

import torch


def free_bytes(device: torch.device) -> int | None:
    """What may still be taken: of what others leave, within a cap that was set for this process,
    and with what this process holds unused. None where nobody can tell."""
    if device.type != "cuda":
        return None
    free, total = torch.cuda.mem_get_info(device)
    used, held = torch.cuda.memory_allocated(device), torch.cuda.memory_reserved(device)
    cap = int(torch.cuda.get_per_process_memory_fraction(device) * total)
    return max(0, min(free + held, cap) - used)


def forget_peak(device: torch.device) -> None:
    """From now on, `peak_bytes` counts anew."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_bytes(device: torch.device) -> int:
    """The most that was taken at a time since `forget_peak`; 0 where nobody counts."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
