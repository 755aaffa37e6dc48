"""Text that was cut out of a prompt and still knows where each of its characters stood there."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Located:
    """`origins[i]` is the place of character i in the prompt as it was typed; one more at the end
    for the place behind the last."""

    text: str
    origins: tuple[int, ...]

    @classmethod
    def whole(cls, text: str) -> Located:
        """A prompt before anything is cut out of it."""
        return cls(text=text, origins=tuple(range(len(text) + 1)))

    def part(self, start: int, end: int) -> Located:
        """The characters from `start` to before `end`."""
        return Located(text=self.text[start:end], origins=self.origins[start : end + 1])

    def without(
        self, pattern: re.Pattern[str], found: Callable[[re.Match[str], int], None] | None = None
    ) -> Located:
        """What is left when everything that matches is cut out; `found` is told each match and
        where it stood in the prompt."""
        kept: list[str] = []
        origins: list[int] = []
        end = 0
        for match in pattern.finditer(self.text):
            if found is not None:
                found(match, self.origins[match.start()])
            kept.append(self.text[end : match.start()])
            origins.extend(self.origins[end : match.start()])
            end = match.end()
        kept.append(self.text[end:])
        origins.extend(self.origins[end:])
        return Located(text="".join(kept), origins=tuple(origins))
