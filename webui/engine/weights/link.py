"""How fast a device takes weights from the computer's memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import torch

from webui.engine.weights.host import HostMemory

SAMPLE_BYTES: Final = 64 * 2**20
ROUNDS: Final = 4


def measure_link(device: torch.device, host: HostMemory) -> float:
    """Bytes per second from pinned memory to the device; infinite where both are the same."""
    if device.type != "cuda":
        return math.inf
    block = host.take(SAMPLE_BYTES)
    target = torch.empty(SAMPLE_BYTES, dtype=torch.uint8, device=device)
    source = block.memory[:SAMPLE_BYTES]
    make_event: Callable[..., torch.cuda.Event] = torch.cuda.Event
    started, ended = make_event(enable_timing=True), make_event(enable_timing=True)
    with torch.cuda.device(device):
        target.copy_(source, non_blocking=True)  # the first one also wakes the link up
        started.record()
        for _ in range(ROUNDS):
            target.copy_(source, non_blocking=True)
        ended.record()
        ended.synchronize()
    host.give_back(block)
    took_s = float(started.elapsed_time(ended)) / 1000
    return ROUNDS * SAMPLE_BYTES / took_s
