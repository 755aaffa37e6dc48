"""Runs a network with compiled blocks, as soon as there are any; until then as it is."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Hashable
from typing import Any, Final

from torch import Tensor, nn

from webui.engine.graphs.arguments import form_of
from webui.engine.graphs.compiler import STAND_IN, Compiler, Job, repeated_blocks, sampled
from webui.engine.graphs.runner import Arguments, Runner

log = logging.getLogger(__name__)

CALLS_BEFORE: Final = 40
"""Calls of one form before its blocks are compiled: two pictures. A size that is used once is not
worth minutes of a busy processor."""
NOTE: Final = "compiled blocks"
OWN_CODE: Final = "forward"
"""What a module has itself, not from its class, when other code runs in place of its own."""


class CompilingRunner:
    """Another runner, whose network gets compiled blocks. Each form of arguments is compiled for
    itself, in the background; where none is, or hooks take part, the network's own code runs."""

    def __init__(
        self,
        module: nn.Module,
        inner: Runner,
        compiler: Compiler,
        *,
        calls_before: int = CALLS_BEFORE,
    ) -> None:
        self._module: Final = module
        self._inner: Final = inner
        self._compiler: Final = compiler
        self._calls_before: Final = calls_before
        self._calls: Final[Counter[Hashable]] = Counter()
        self._jobs: Final[dict[Hashable, Job]] = {}
        self._own: Final = [vars(each) for each in module.modules()]
        self._stand_ins: Final[dict[nn.Module, Any]] = {}
        self._is_swapped_in = False

    @property
    def kept_bytes(self) -> int:
        """What the other one keeps."""
        return self._inner.kept_bytes

    @property
    def notes(self) -> tuple[str, ...]:
        """What the last answer came from."""
        return (*self._inner.notes, *((NOTE,) if self._is_swapped_in else ()))

    @property
    def jobs(self) -> tuple[Job, ...]:
        """All that were begun."""
        return tuple(self._jobs.values())

    def __call__(self, arguments: Arguments, *, is_hooked: bool) -> Tensor:
        """What the network answers."""
        form = form_of(arguments) if not is_hooked and self._is_plain() else None
        job = None if form is None else self._jobs.get(form)
        self._swap(is_in=job is not None and job.is_ready)
        if form is not None and job is None and self._is_due(form):
            return self._begin(form, arguments)
        return self._inner(arguments, is_hooked=is_hooked)

    def forget(self) -> None:
        """What is compiled stays: it holds no memory of the device."""
        self._inner.forget()

    def _is_due(self, form: Hashable) -> bool:
        self._calls[form] += 1
        return self._calls[form] > self._calls_before

    def _is_plain(self) -> bool:
        """Whether layers run their own code: weights that are streamed come by hooks, those in
        fewer bits by code of their own, and neither can be compiled for good."""
        return not any(
            each["_forward_pre_hooks"] or each["_forward_hooks"] or OWN_CODE in each
            for each in self._own
        )

    def _begin(self, form: Hashable, arguments: Arguments) -> Tensor:
        """One more call of the network itself, which shows how it calls its blocks."""
        answer, samples = sampled(self._module, repeated_blocks(self._module), arguments)
        job = Job(samples, self._stand_ins)
        self._jobs[form] = job
        if samples:
            self._compiler.submit(job)
        return answer

    def _swap(self, *, is_in: bool) -> None:
        if is_in == self._is_swapped_in:
            return
        for block, stand_in in self._stand_ins.items():
            setattr(block, STAND_IN, stand_in if is_in else None)
        self._is_swapped_in = is_in
