"""What a step cache is in one run."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from webui.core.request import StepCache
from webui.engine.caching.question import Ask, Question
from webui.engine.guidance.feature import Moment


class Reuse(Protocol):
    """Answers for a network, with as little of it as it can. Made for one run, and used by the
    engine's thread only."""

    def answer(self, question: Question, moment: Moment, ask: Ask) -> Tensor:
        """What the network says, or what it would have said but for a little."""
        ...


def is_at_work(given: StepCache, moment: Moment) -> bool:
    """Whether it is the part of the run in which calls may be shortened."""
    return given.start <= moment.progress < given.end
