"""Which parts of models are on the device: those that work next, the others as far as room goes.

A part that is sent away comes back from its file, which the system keeps in RAM as long as it can.
What has no room whole is streamed while it works.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import torch

from webui.engine.device_memory import free_bytes
from webui.engine.weights.part import PartWeights
from webui.engine.weights.store import WeightStore

log = logging.getLogger(__name__)

USABLE_LINK: Final = 0.8
"""Of a link's speed, what copies beside computing reach (77 to 89 % measured)."""
SMALLER: Final = 0.6
"""Of what a part has of the device when it is asked to take less."""


class Residence:
    """The parts on one device. Used by the engine's thread only."""

    def __init__(self, store: WeightStore, available: Callable[[], float] | None = None) -> None:
        """`available`: how many bytes may still be taken; by default the device says so."""
        self._store: Final = store
        self._available: Final = available or partial(_available_bytes, store.device)
        self._working: tuple[PartWeights, ...] = ()

    @property
    def available_bytes(self) -> float:
        """What may still be taken; infinite where the device has the computer's own memory."""
        return self._available()

    def bring(
        self,
        wanted: Sequence[PartWeights],
        others: Sequence[PartWeights],
        working_bytes: int,
        forward_s: float = 0.0,
    ) -> bool:
        """See that the wanted parts can work, with so much room beside them. True if any part had
        to be placed.

        `others` make room, the most dispensable first; not for a part that loses nothing when it
        is streamed: one whose copies take no longer than its forward, `forward_s`.
        """
        self._working = tuple(wanted)
        missing = sorted((p for p in wanted if not p.is_placed), key=lambda part: part.total_bytes)
        self._make_room(missing, others, working_bytes, forward_s)
        for part in missing:
            room = self.available_bytes + part.device_bytes - working_bytes
            part.place(None if part.total_bytes <= room else max(int(room), part.least_bytes))
            if part.is_streamed:
                share = part.device_bytes / part.total_bytes
                log.info("%.0f %% of a part has room on the device.", 100 * share)
        return bool(missing)

    def give_back(self, others: Sequence[PartWeights]) -> None:
        """Take the room of parts that are not there yet."""
        for part in others:
            if part.device_bytes and not part.is_placed and part not in self._working:
                part.release()

    def restore(self) -> None:
        """Bring back what works now and has lost its place: moving it may have found no room."""
        for part in self._working:
            if not part.is_placed:
                room = (self.available_bytes + part.device_bytes) * SMALLER
                fits = part.total_bytes <= room
                part.place(None if fits else max(int(room), part.least_bytes))

    def take_less(self, others: Sequence[PartWeights]) -> bool:
        """Send a part away that does not work, or stream more of those that do. False when there
        is nothing left to send."""
        for part in others:
            if part.is_placed and part not in self._working:
                part.release()
                return True
        if math.isinf(self.available_bytes):  # streamed from where it would lie anyway
            return False
        for part in sorted(self._working, key=lambda part: -part.device_bytes):
            limit = max(int(part.device_bytes * SMALLER), part.least_bytes)
            if part.is_placed and limit < part.device_bytes:
                before = part.device_bytes
                part.place(limit)
                if part.device_bytes < before:
                    return True
        return False

    def _make_room(
        self,
        missing: Sequence[PartWeights],
        others: Sequence[PartWeights],
        working_bytes: int,
        forward_s: float,
    ) -> None:
        held = sum(part.device_bytes for part in missing)  # room of others that they took over
        needed = sum(part.total_bytes for part in missing) + working_bytes - held
        least = sum(part.least_bytes for part in missing) + working_bytes - held
        for part in others:
            available = self.available_bytes
            if needed <= available:
                return
            if part.device_bytes and not (
                least <= available and needed - available <= self._hidden_bytes(forward_s)
            ):
                part.release()

    def _hidden_bytes(self, forward_s: float) -> float:
        """What can be copied while a forward computes."""
        return USABLE_LINK * self._store.link_bytes_per_s * forward_s if forward_s else 0.0


def _available_bytes(device: torch.device) -> float:
    free = free_bytes(device)
    return math.inf if free is None else float(free)
