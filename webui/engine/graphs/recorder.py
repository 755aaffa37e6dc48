"""What records a call of a network, so that it can be done again without its Python code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

from torch import Tensor, nn

from webui.engine.graphs.arguments import tensors_of, with_tensors
from webui.engine.graphs.runner import Arguments, run


class CannotRecord(Exception):
    """A call that has to be done by the network itself; the message is for the log."""


class Recording(Protocol):
    """One call of a network, as often as it is wanted."""

    @property
    def held_bytes(self) -> int:
        """Memory of the device that it holds."""
        ...

    def replay(self, tensors: Sequence[Tensor]) -> Tensor:
        """The answer to other numbers in tensors of the same form, in `tensors_of`'s order."""
        ...

    def free(self) -> None:
        """Give up its memory. It can't be replayed after."""
        ...


class Recorder(Protocol):
    """Makes recordings."""

    def record(self, module: nn.Module, arguments: Arguments) -> Recording:
        """The call of a network with arguments of this form. Raises CannotRecord."""
        ...


class RehearsingRecorder:
    """Records nothing and calls the network each time, with buffers like a graph's: a Recorder for
    tests on machines without a GPU. `refuses`: how many of its first recordings fail."""

    def __init__(self, refuses: int = 0) -> None:
        self.recorded = 0
        self.live = 0
        self._refuses = refuses

    def record(self, module: nn.Module, arguments: Arguments) -> Recording:
        """Fails as often as it was told to, then never."""
        if self._refuses:
            self._refuses -= 1
            raise CannotRecord("Rehearsed refusal.")
        self.recorded += 1
        self.live += 1
        return _Rehearsed(self, module, arguments)


class _Rehearsed:
    """Answers from the network as it is when replayed, into memory of its own."""

    held_bytes: Final = 1

    def __init__(self, recorder: RehearsingRecorder, module: nn.Module, given: Arguments) -> None:
        self._recorder = recorder
        self._module = module
        self._buffers = [tensor.clone() for tensor in tensors_of(given)]
        self._arguments: dict[str, Any] = with_tensors(given, self._buffers)
        self.replayed = 0

    def replay(self, tensors: Sequence[Tensor]) -> Tensor:
        for buffer, tensor in zip(self._buffers, tensors, strict=True):
            buffer.copy_(tensor)
        self.replayed += 1
        return run(self._module, self._arguments).clone()

    def free(self) -> None:
        self._recorder.live -= 1
