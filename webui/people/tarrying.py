"""Answers to passwords that were not looked at come late, and the later the more of them wait.

So a flood waits for itself and not for the studio: whoever has a hundred connections open is
answered as often as somebody with ten. What waits costs nothing but its connection, of which the
gate bounds the number.
"""

from __future__ import annotations

import asyncio
from typing import Final

LEAST_S: Final = 2.0
EACH_S: Final = 0.2
"""Five answers a second, however many wait. Each costs the event loop some milliseconds, and who
asks for something else at that moment has to wait for it: they shall be few in a hundred."""
MOST_S: Final = 30.0
"""Programs give up then, and come again at once."""


class Tarrying:
    """Those that wait for such an answer. On one event loop only."""

    def __init__(self, least_s: float = LEAST_S) -> None:
        """`least_s`: how long also a single one waits."""
        self._least_s: Final = least_s
        self.waiting = 0

    @property
    def seconds(self) -> float:
        """How long the last one of those that wait now has to."""
        return min(MOST_S, max(self._least_s, EACH_S * self.waiting))

    async def wait(self) -> None:
        """Until the answer may go out."""
        self.waiting += 1
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.waiting -= 1
