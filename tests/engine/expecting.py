"""A fake engine that writes down what it is told to expect."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from webui.core.model import ModelInfo
from webui.engine.fake import FakeEngine


class ExpectingEngine(FakeEngine):
    """Appends a line with the model's id for each time it is told."""

    def __init__(self, notes: Path) -> None:
        super().__init__()
        self._notes: Final = notes

    def expect(self, model: ModelInfo) -> None:
        """Write it down."""
        with self._notes.open("a") as file:
            file.write(model.id + "\n")


def create(options: Mapping[str, object]) -> ExpectingEngine:
    """For a process of its own; `tally` is a folder."""
    return ExpectingEngine(Path(str(options["tally"])) / "expected.txt")
