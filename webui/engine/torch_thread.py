"""The one thread in which torch runs. Knows nothing of pictures; imports torch when first used."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import Final, TypeVar

from webui.core.events import Alive
from webui.engine.asking import Answer, Events, handed_on, resumed

T = TypeVar("T")

ALIVE_S: Final = 0.5
"""Longest silence while a generator is at something that has no steps."""


class TorchThread:
    """Runs functions and generators under torch.inference_mode, one after the other.

    The calling thread stays free: to notice a cancel while a model loads, and to send heartbeats.
    """

    def __init__(self) -> None:
        self._executor: Final = ThreadPoolExecutor(1, "torch")
        self._is_given_up: Final = threading.Event()

    def run(self, function: Callable[[], T]) -> T:
        """What `function` gives; waits for it."""
        return self._executor.submit(_infer, function).result()

    def begin(self, function: Callable[[], object]) -> None:
        """Run it behind what is asked for already, without waiting. It must not raise."""
        self._executor.submit(_infer, function)

    def drive(self, events: Events) -> Events:
        """The events of a generator, with Alive in its longer silences; it gets the answers."""
        answer: Answer = None
        self._is_given_up.clear()
        try:
            while True:
                coming = self._executor.submit(_infer, partial(resumed, events, answer))
                while not wait([coming], ALIVE_S).done:
                    yield Alive()
                event = coming.result()
                if event is None:
                    return
                answer = yield from handed_on(event)
        finally:
            self._is_given_up.set()
            # queued behind the step that may still run; what it holds is free when this returns
            self.run(events.close)

    def is_given_up(self) -> bool:
        """Whether nobody waits any more for the generator that runs: for code within one step."""
        return self._is_given_up.is_set()

    def close(self) -> None:
        """End the thread."""
        self._executor.shutdown()


def _infer(function: Callable[[], T]) -> T:
    import torch

    with torch.inference_mode():
        return function()
