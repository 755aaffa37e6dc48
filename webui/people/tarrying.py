"""Answers to passwords that were not looked at come late, and the later the more of them wait.

So a flood waits for itself and not for the studio: whoever has a hundred connections open is
answered as often as somebody with twenty.
"""

from __future__ import annotations

import asyncio
from typing import Final

LEAST_S: Final = 2.0
"""So long also a single one waits."""
EACH_S: Final = 0.1
"""Ten answers a second, however many wait. Each costs the event loop a fraction of a millisecond,
and who asks for something else at that moment has to wait for it: they shall be few in a
hundred."""
MOST_S: Final = 30.0
"""Programs give up then, and come again at once."""
MOST_WAITING: Final = 1000
"""Further ones are answered at once: who asks and does not stay for the answer leaves it waiting
all the same, and that takes memory."""


class Tarrying:
    """Those that wait for such an answer. On one event loop only."""

    def __init__(self) -> None:
        self._turns: Final[set[asyncio.Future[None]]] = set()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._turns)

    async def wait(self) -> None:
        """Until the answer may go out."""
        if self.waiting >= MOST_WAITING:
            return
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._turns.add(turn)
        timer = loop.call_later(seconds(self.waiting), _come, turn)
        try:
            await turn
        finally:
            timer.cancel()
            self._turns.discard(turn)

    def end(self) -> None:
        """Let all answers go out now."""
        for turn in self._turns:
            _come(turn)


def seconds(waiting: int) -> float:
    """How long the last one of so many has to wait."""
    return min(MOST_S, max(LEAST_S, EACH_S * waiting))


def _come(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)
