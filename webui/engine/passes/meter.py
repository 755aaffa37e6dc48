"""Counts the steps of a batch over all its passes, and says when a preview is due."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

from webui.core.events import Progress


class Meter:
    """`steps` is the number of the whole batch; the count never falls and never passes it."""

    def __init__(self, steps: int, preview_every_s: float) -> None:
        """With a `preview_every_s` of 0 no preview is ever due."""
        self._steps: Final = max(1, steps)
        self._begun = self._done = 0
        self._interval_s: Final = preview_every_s
        self._next_preview = time.monotonic() + preview_every_s

    def progress(self) -> Progress:
        """How far the batch is."""
        return Progress(step=min(self._done, self._steps), steps=self._steps)

    def advance(self, index: int) -> Progress:
        """Step `index` of the running pass is done, counted from 0."""
        self._done = max(self._done, self._begun + index + 1)
        return self.progress()

    def part(self, fraction: float, steps: int, note: str) -> Progress:
        """Of something between passes that counts as so many steps, this fraction is done."""
        self._done = max(self._done, self._begun + int(fraction * steps))
        return replace(self.progress(), note=note)

    def end_pass(self, steps: int) -> None:
        """The running pass is over; the next one begins."""
        self._begun += steps
        self._done = self._begun

    def wants_preview(self) -> bool:
        """Whether a preview is due now; it then counts as shown."""
        now = time.monotonic()
        if not self._interval_s or now < self._next_preview:
            return False
        self._next_preview = now + self._interval_s
        return True
