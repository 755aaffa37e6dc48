"""Where model files are put: what the downloads know of the catalog."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from webui.core.model import ModelKind


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What a file is, told by what is in it. `kind` is None for what can't be used, and `problem`
    says why then; `label` is in people's words ("Checkpoint, SDXL")."""

    kind: ModelKind | None
    label: str = ""
    problem: str = ""


class Shelf(Protocol):
    """The folders of models, for whoever has a new file to put there."""

    def home(self, kind: ModelKind | None) -> Path:
        """The folder for files of a kind; for None the folder of models itself."""
        ...

    def judge(self, path: Path, kind: ModelKind | None) -> Judged:
        """What the file at `path` is; `kind` is what its source calls it, which decides only where
        the file leaves it open. Raises nothing."""
        ...

    def known(self, sha256: str) -> str:
        """The name of a file here with this hash, as far as hashes are known; else empty."""
        ...

    def took(self, path: Path, sha256: str) -> None:
        """Take note of a new file and its hash."""
        ...
