"""Keeps the loop from running far ahead of a GPU, which would only queue its steps."""

from __future__ import annotations

from collections import deque
from typing import Final

import torch

AHEAD: Final = 2
"""Steps that may be queued: the GPU never waits for the next, and what is told of progress, and a
cancelled run's end, come at most this late."""


class Pace:
    """The steps of one run on one device. Does nothing where calls wait for their results."""

    def __init__(self, device: torch.device) -> None:
        self._queued: Final[deque[torch.cuda.Event] | None] = (
            deque() if device.type == "cuda" else None
        )

    def step(self) -> None:
        """A step is queued. Waits, asleep, until no more than a few are."""
        if self._queued is None:
            return
        event = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        event.record()
        self._queued.append(event)
        if len(self._queued) > AHEAD:
            self._queued.popleft().synchronize()
