"""What an engine does while nobody waits: it builds the model that is expected to be wanted next,
without weights, and on a GPU takes the memory for them.

A first picture of SDXL then comes as soon as one after a change from another SDXL. Whoever wants
something meanwhile does not wait: building is given up at the next call of torch, taking memory
after the part that it has come to; only an import of a library is brought to its end.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, Final

import torch
from torch.overrides import TorchFunctionMode

from webui.core.errors import ModelUnreadable
from webui.core.model import ModelInfo
from webui.engine.pipeline_manager import PipelineManager

log = logging.getLogger(__name__)


class Foresight:
    """Done once; may be given up from any thread."""

    def __init__(self, manager: PipelineManager, model: ModelInfo) -> None:
        """`model` is expected to be wanted."""
        self._manager: Final = manager
        self._model: Final = model
        self._is_given_up: Final = threading.Event()

    def build(self) -> None:
        """On torch's thread. A model that can't be read is told of when it is wanted."""
        started = time.monotonic()
        try:
            with _Until(self._is_given_up):
                self._manager.foresee(self._model)
            self._reserve()
        except _GivenUp:
            log.debug("Somebody came before %s was built.", self._model.name)
        except (ModelUnreadable, torch.OutOfMemoryError) as error:
            log.debug("Not built ahead: %s", error)
        else:
            log.debug("Built %s ahead in %.1f s.", self._model.name, time.monotonic() - started)

    def _reserve(self) -> None:
        for _ in self._manager.reserve():
            if self._is_given_up.is_set():
                return

    def give_up(self) -> None:
        """Nothing happens where it is done."""
        self._is_given_up.set()


class _GivenUp(BaseException):
    """Not an Exception: libraries that try one way after another must not go on."""


class _Until(TorchFunctionMode):
    """While it lasts, torch does nothing more as soon as an event has come."""

    def __init__(self, event: threading.Event) -> None:
        super().__init__()
        self._event: Final = event

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self._event.is_set():
            raise _GivenUp
        return func(*args, **(kwargs or {}))
