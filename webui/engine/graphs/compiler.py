"""Compiles a network's repeated blocks on a thread of its own, while pictures go on being made.

A compiled block fuses what its layers do one after the other. Compiling takes a minute or two at
first; what it makes is kept in a folder, from which the next start has it in seconds.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

import torch
from torch import Tensor, nn

from webui.engine.graphs.arguments import tensors_of, with_tensors
from webui.engine.graphs.runner import Arguments, run

log = logging.getLogger(__name__)

STAND_IN: Final = "_compiled_call_impl"
"""What a module runs in place of its own code, where it has it."""
CONVOLUTIONS: Final = "ResnetBlock2D"
Backend = Callable[..., Any]
"""Makes code of what torch found, in the place of a compiler."""
KINDS: Final = 128
"""Forms of one block that may be compiled: torch's own 8 are for networks of one size."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """How a block was called once: its arguments, with tensors that have no numbers."""

    block: nn.Module
    arguments: Arguments


class Job:
    """One network's blocks at one form of arguments. `is_ready` and `stand_ins` are set by the
    compiler's thread."""

    def __init__(self, samples: Sequence[Sample], stand_ins: dict[nn.Module, Any]) -> None:
        """`stand_ins`: what runs in place of each block; the same for all jobs of a network."""
        self.samples: Final = samples
        self.stand_ins: Final = stand_ins
        self.is_ready = False
        self.is_over: Final = threading.Event()


class Compiler:
    """One thread, and a folder for what it makes."""

    def __init__(self, folder: Path | None, backend: str | Backend = "inductor") -> None:
        self._backend: Final = backend
        self._jobs: Final[SimpleQueue[Job]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        if folder is not None:
            os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder))

    def submit(self, job: Job) -> None:
        """Do a job when those before it are done."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="compiler", daemon=True)
            self._thread.start()
        self._jobs.put(job)

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            try:
                self._compile(job)
                job.is_ready = True
                log.info("Compiled %d blocks; the next pictures use them.", len(job.samples))
            except Exception as error:  # noqa: BLE001 - whatever compilers throw, pictures go on
                log.warning("The blocks can't be compiled here: %s", str(error).splitlines()[:1])
            finally:
                job.is_over.set()

    @torch.inference_mode()
    def _compile(self, job: Job) -> None:
        """Calls every block once: those alike share what was compiled of the first."""
        _allow_kinds()
        with _own_stream(job):
            for sample in job.samples:
                block = sample.block
                if block not in job.stand_ins:
                    job.stand_ins[block] = self._stand_in(block)
                device = next(block.parameters()).device
                tensors = [_with_numbers(each, device) for each in tensors_of(sample.arguments)]
                call = with_tensors(sample.arguments, tensors)
                job.stand_ins[block](*call["given"], **call["named"])

    def _stand_in(self, block: nn.Module) -> Any:
        return torch.compile(block._call_impl, backend=self._backend, dynamic=False)


def repeated_blocks(network: nn.Module) -> list[nn.Module]:
    """The blocks of which a network has many: those that its library says, and a UNet's layers of
    convolutions."""
    names = {*(getattr(network, "_repeated_blocks", None) or ()), CONVOLUTIONS}
    return [module for module in network.modules() if type(module).__name__ in names]


def sampled(
    network: nn.Module, blocks: Sequence[nn.Module], arguments: Arguments
) -> tuple[Tensor, list[Sample]]:
    """What the network answers, and how it called each block for that."""
    samples: list[Sample] = []

    def note(block: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        whole = {"given": given, "named": named}
        empty = [_without_numbers(tensor) for tensor in tensors_of(whole)]
        samples.append(Sample(block=block, arguments=with_tensors(whole, empty)))

    handles = [block.register_forward_pre_hook(note, with_kwargs=True) for block in blocks]
    try:
        return run(network, arguments), samples
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _own_stream(job: Job) -> Iterator[None]:
    device = next(job.samples[0].block.parameters()).device
    if device.type != "cuda":
        yield
        return
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    with torch.cuda.stream(stream):
        yield
        stream.synchronize()


def _without_numbers(tensor: Tensor) -> Tensor:
    return torch.empty_strided(
        tensor.shape, tensor.stride(), dtype=tensor.dtype, device=torch.device("meta")
    )


def _with_numbers(tensor: Tensor, device: torch.device) -> Tensor:
    return torch.empty_strided(
        tensor.shape, tensor.stride(), dtype=tensor.dtype, device=device
    ).zero_()


def _allow_kinds() -> None:
    """Torch would go back to uncompiled code after a few kinds of one block."""
    import torch._dynamo.config as config

    config.cache_size_limit = max(KINDS, config.cache_size_limit)
    config.accumulated_cache_size_limit = max(8 * KINDS, config.accumulated_cache_size_limit)
