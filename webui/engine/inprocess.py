"""What makes pictures inside an engine process, and what it owes the process that hosts it."""

from __future__ import annotations

from typing import Protocol

from webui.core.engine import Work
from webui.core.model import ModelInfo
from webui.engine.asking import Events


class InProcessEngine(Protocol):
    """Pictures from batches, in the thread that calls it; the worker adds process and pipe.

    A module offers one through `create(options) -> InProcessEngine`, which must return at once.
    """

    def prepare(self) -> str:
        """The device's name for people ("NVIDIA RTX 4070", "CPU"), after all imports and the
        self-test. Called once, before the first batch; raises EngineError when nothing works."""
        ...

    def generate(self, work: Work) -> Events:
        """As `core.engine.Engine.generate`. Yields at least once per step, and Alive now and then
        while it loads: only at a yield can the caller cancel, by closing the generator. What
        is sent or thrown in is the answer to an Ask.

        Raises OutOfMemory when it has freed what the batch held and can go on, EngineDied when
        the device is of no more use (any other CUDA error): the process is then ended.
        """
        ...

    def expect(self, model: ModelInfo) -> None:
        """As `core.engine.Engine.expect`; called between batches, after `prepare`."""
        ...

    def release(self) -> None:
        """Give back the memory of all models; called between batches, after `prepare`."""
        ...

    def close(self) -> None:
        """Free what it holds; it can't be used again."""
        ...
