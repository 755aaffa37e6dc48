"""Faults on order, for the fake engine: everything a real engine can do to its host."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from webui.core.errors import EngineDied, EngineHung, ModelUnreadable, OutOfMemory

AT_START: Final = -1
AT_LOADING: Final = 0


class FaultKind(StrEnum):
    """How the engine fails."""

    CRASH = "crash"
    """The process exits at once."""
    HANG = "hang"
    """The process stands still, its heartbeat included."""
    STALL = "stall"
    """The heart beats, the work never goes on."""
    OUT_OF_MEMORY = "out_of_memory"
    DEVICE = "device"
    """The device is of no more use; the engine says so."""
    UNREADABLE = "unreadable"
    """The model can't be used."""
    BUG = "bug"
    """An error that nobody thought of."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Fails at `step` of any batch whose prompt contains `prompt`; at AT_START or AT_LOADING
    before. `times` 0 fails each time."""

    kind: FaultKind
    step: int = 1
    times: int = 0
    prompt: str = ""


class Faults:
    """The faults of one engine. Only when it `owns_process` may they end or block the process;
    otherwise the error is raised that its host would have noticed."""

    def __init__(
        self, faults: Sequence[Fault] = (), tally: Path | None = None, owns_process: bool = False
    ) -> None:
        """`tally` is a folder where faults with `times` are counted beyond the process's end."""
        self._faults: Final = tuple(faults)
        self._tally: Final = tally
        self._owns_process: Final = owns_process
        self._struck: dict[int, int] = {}

    def strike(self, step: int, prompt: str = "") -> None:
        """Fail, if a fault is due at this step of a batch with this prompt."""
        for number, fault in enumerate(self._faults):
            if fault.step == step and fault.prompt in prompt and self._is_left(number, fault):
                self._fail(fault.kind)

    def _is_left(self, number: int, fault: Fault) -> bool:
        return not fault.times or self._count(number) <= fault.times

    def _count(self, number: int) -> int:
        """How often this fault came due, this time included."""
        if self._tally is None:
            self._struck[number] = self._struck.get(number, 0) + 1
            return self._struck[number]
        with (self._tally / f"fault-{number}").open("ab") as file:
            file.write(b".")
            file.flush()
            return file.tell()

    def _fail(self, kind: FaultKind) -> None:
        if self._owns_process:
            _end_or_block(kind)
        match kind:
            case FaultKind.CRASH:
                raise EngineDied("The engine stopped, as the test asked.")
            case FaultKind.HANG | FaultKind.STALL:
                raise EngineHung("The engine gave no sign of life, as the test asked.")
            case FaultKind.OUT_OF_MEMORY:
                raise OutOfMemory("The test device has too little memory. Try a smaller size.")
            case FaultKind.DEVICE:
                raise EngineDied("The test device reported an error it can't go on after.")
            case FaultKind.UNREADABLE:
                raise ModelUnreadable("test", "it is damaged. Download it again.")
            case FaultKind.BUG:
                raise KeyError("a fault on order")


def _end_or_block(kind: FaultKind) -> None:
    """The faults that no exception can stand for; the others are left to the caller."""
    if kind is FaultKind.CRASH:
        os._exit(70)
    while kind is FaultKind.STALL:
        time.sleep(3600)
    if kind is FaultKind.HANG:
        # No other thread gets the interpreter within the hour: the heart stops beating.
        sys.setswitchinterval(3600)
        while True:
            pass
