"""What stops a set-up, in words that help."""

from __future__ import annotations


class SetupError(Exception):
    """Setting up can't go on. `way_out` says what to do; both are shown without a traceback."""

    def __init__(self, what: str, way_out: str) -> None:
        super().__init__(what)
        self.what = what
        self.way_out = way_out

    def __str__(self) -> str:
        return f"{self.what}\n{self.way_out}"
