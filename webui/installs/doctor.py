"""What is asked of whoever tries an extension out before it comes in; webui/doctor answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from webui.installs.line import Line


class Outcome(StrEnum):
    """How far an extension works here."""

    WORKS = "works"
    PARTLY = "partly"
    CANNOT = "cannot"
    UNKNOWN = "unknown"
    """Nobody has tried it."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a trial showed. `summary` is one sentence, `notes` the details."""

    outcome: Outcome
    summary: str
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


class Doctor(Protocol):
    """Tries an extension in a process of its own."""

    def examine(self, folder: Path, packages: Path | None, line: Line) -> Verdict:
        """The verdict on the extension in a folder, or in a single file. `packages`: a folder to
        put after the host's packages on sys.path, None if it needs none. Raises Stopped."""
        ...


class NoDoctor:
    """Tries nothing."""

    def examine(self, folder: Path, packages: Path | None, line: Line) -> Verdict:
        """That nobody has tried it."""
        line.check()
        return Verdict(outcome=Outcome.UNKNOWN, summary="Nobody has tried it.")
