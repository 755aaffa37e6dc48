"""Records a call as a CUDA graph: the same kernels on the same addresses, started all at once."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final
from weakref import WeakSet

import torch
from torch import Tensor, nn

from webui.engine.device_memory import free_bytes
from webui.engine.graphs.arguments import tensors_of, with_tensors
from webui.engine.graphs.recorder import CannotRecord, Recording
from webui.engine.graphs.runner import Arguments, run

log = logging.getLogger(__name__)

SPARE_BYTES: Final = 32 * 2**20
"""What recording must leave of the device's memory."""


class CudaRecorder:
    """Makes CUDA graphs on one device. All share one pool of memory, which is safe because no two
    are replayed at once and each answer is copied out before the next replay.

    Other threads may go on using the device while it records.
    """

    def __init__(self, device: torch.device) -> None:
        self._device: Final = device
        self._stream: Final = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool: _Pool | None = None

    def record(self, module: nn.Module, arguments: Arguments) -> Recording:
        """The call as a graph. Raises CannotRecord, also for want of memory."""
        failure = ""
        try:
            return self._record(module, arguments)
        except CannotRecord:
            raise
        except (RuntimeError, torch.OutOfMemoryError) as error:
            failure = f"{type(error).__name__}: {error}".splitlines()[0]
        # only here, without the traceback, are the failed call's tensors unused
        torch.cuda.empty_cache()
        raise CannotRecord(failure)

    def _record(self, module: nn.Module, arguments: Arguments) -> Recording:
        buffers = [tensor.detach().clone() for tensor in tensors_of(arguments)]
        inside = with_tensors(arguments, buffers)
        needed = self._warm_up(module, inside)
        free = free_bytes(self._device)
        if free is not None and free < needed + SPARE_BYTES:
            raise CannotRecord(
                f"It would hold {needed >> 20} MiB, and {free >> 20} MiB of memory are left."
            )
        if self._pool is None or self._pool.is_spent:
            self._pool = _Pool(self._device)
        return self._captured(module, inside, buffers, self._pool)

    def _warm_up(self, module: nn.Module, arguments: Arguments) -> int:
        """One call on the stream of the recording, whose libraries get their working memory there.
        Gives the bytes that it took."""
        torch.cuda.synchronize(self._device)
        torch.cuda.empty_cache()
        before = torch.cuda.memory_reserved(self._device)
        with torch.cuda.stream(self._stream):
            run(module, arguments)
        self._stream.synchronize()
        needed = torch.cuda.memory_reserved(self._device) - before
        torch.cuda.empty_cache()
        return needed

    def _captured(
        self, module: nn.Module, inside: Arguments, buffers: Sequence[Tensor], pool: _Pool
    ) -> Recording:
        """Not through torch.cuda.graph: when a capture fails, that leaves its stream current."""
        graph = torch.cuda.CUDAGraph()
        before = torch.cuda.memory_reserved(self._device)
        with torch.cuda.stream(self._stream):
            graph.capture_begin(pool=pool.handle, capture_error_mode="thread_local")
            with _ending(graph, pool):
                answer = run(module, inside)
        pool.add(graph)
        held = max(0, torch.cuda.memory_reserved(self._device) - before)
        log.debug("Recorded a graph that holds %d MiB.", held >> 20)
        return _Graph(pool, graph, buffers, answer, held)


@contextmanager
def _ending(graph: torch.cuda.CUDAGraph, pool: _Pool) -> Iterator[None]:
    """Ends the capture, however what it holds ends. The first failure is the one that is told."""
    try:
        yield
    except BaseException:
        pool.has_failed = True
        try:
            graph.capture_end()
        except RuntimeError:
            pool.abandon()
        raise
    try:
        graph.capture_end()
    except RuntimeError:
        pool.has_failed = True
        pool.abandon()
        raise


class _Pool:
    """Memory that graphs share. One that no graph uses any more, or in which a capture failed,
    must not be used again."""

    def __init__(self, device: torch.device) -> None:
        self.device: Final = device
        self.handle: Final[Any] = torch.cuda.graph_pool_handle()
        self.has_failed = False
        self._graphs: Final[WeakSet[torch.cuda.CUDAGraph]] = WeakSet()
        self._was_used = False

    @property
    def is_spent(self) -> bool:
        """Whether the next graph needs another."""
        return self.has_failed or (self._was_used and not self._graphs)

    def add(self, graph: torch.cuda.CUDAGraph) -> None:
        """A graph that uses it until it is freed or nobody knows it any more."""
        self._was_used = True
        self._graphs.add(graph)

    def remove(self, graph: torch.cuda.CUDAGraph) -> None:
        """A graph that is freed."""
        self._graphs.discard(graph)

    def abandon(self) -> None:
        """After a capture that could not even be ended. The allocator still takes it for the pool
        in use, and would give no memory back from then on."""
        index = torch.cuda.current_device() if self.device.index is None else self.device.index
        with suppress(RuntimeError, AttributeError):
            torch._C._cuda_endAllocateToPool(index, self.handle)
            torch._C._cuda_releasePool(index, self.handle)


class _Graph:
    """A CUDA graph and the tensors that it reads and writes."""

    def __init__(
        self,
        pool: _Pool,
        graph: torch.cuda.CUDAGraph,
        buffers: Sequence[Tensor],
        answer: Tensor,
        held_bytes: int,
    ) -> None:
        self.held_bytes: Final = held_bytes
        self._pool: Final = pool
        self._graph: Final = graph
        self._buffers = buffers
        self._answer: Tensor | None = answer

    def replay(self, tensors: Sequence[Tensor]) -> Tensor:
        """Waits for nothing: the copies, the kernels and the copy out are all only queued."""
        assert self._answer is not None
        for buffer, tensor in zip(self._buffers, tensors, strict=True):
            buffer.copy_(tensor)
        self._graph.replay()
        return self._answer.clone()

    def free(self) -> None:
        """Waits until no replay of it is running."""
        torch.cuda.synchronize(self._pool.device)
        self._answer, self._buffers = None, ()
        self._graph.reset()
        self._pool.remove(self._graph)
