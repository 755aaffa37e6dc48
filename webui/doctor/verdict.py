"""What the doctor found: step by step, and in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Grade(StrEnum):
    """How far an extension can be used here."""

    WORKS = "works"
    PARTLY = "partly"
    CANNOT = "cannot"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing that was tried. `error` is a line for people, `trace` the rest; both empty when
    all went well."""

    name: str
    seconds: float = 0.0
    error: str = ""
    trace: str = ""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """All that was found about one extension."""

    extension: str
    kind: str
    steps: tuple[Step, ...]
    missing: tuple[str, ...] = ()
    """Names that it asked A1111's layer for and that are not provided."""

    @property
    def failed(self) -> Sequence[Step]:
        """What did not work."""
        return [step for step in self.steps if step.error]

    @property
    def grade(self) -> Grade:
        """What can't be loaded can't be used; what fails later works in part."""
        if not self.failed:
            return Grade.WORKS
        return Grade.CANNOT if self.failed[0].name in FATAL else Grade.PARTLY

    @property
    def sentence(self) -> str:
        """The verdict for people."""
        if self.grade is Grade.WORKS:
            return "Works."
        first = self.failed[0]
        if self.grade is Grade.PARTLY:
            names = ", ".join(dict.fromkeys(step.name for step in self.failed))
            return f"Works in part. Not: {names} ({first.error})."
        return f"Can't be used: {first.error}"

    @property
    def seconds(self) -> float:
        """How long it took, all told."""
        return sum(step.seconds for step in self.steps)


FATAL: Final = ("read", "load")
"""Steps without which there is nothing to use."""
