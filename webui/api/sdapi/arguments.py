"""One argument of a script, and the two tabs that A1111's scripts are for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

TEXT: Final = "txt2img"
IMAGE: Final = "img2img"
TABS: Final = (TEXT, IMAGE)


@dataclass(frozen=True, kw_only=True)
class Argument:
    """One argument of a script, as script-info tells it."""

    label: str
    value: Any = None
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: Sequence[str] | None = None
