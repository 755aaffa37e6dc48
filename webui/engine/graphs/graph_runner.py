"""Runs a network by replaying recordings of it, wherever that gives the same as calling it."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

from torch import Tensor, nn

from webui.engine.graphs.arguments import form_of, tensors_of
from webui.engine.graphs.recorder import CannotRecord, Recorder, Recording
from webui.engine.graphs.runner import Arguments, run
from webui.engine.graphs.structure import Structure

log = logging.getLogger(__name__)

EAGER_CALLS: Final = 2
"""Calls of a form before it is recorded: recording costs about as much as ten replays save, and
these calls choose kernels and fill caches, which a recording must not."""
KEPT_RECORDINGS: Final = 6
"""With and without guidance, in two sizes, and some to spare. Their memory is shared, so that all
together hold about as much as the largest."""
KNOWN_FORMS: Final = 64
NEVER: Final = -1
"""In place of a number of calls: this form can't be recorded."""


class GraphRunner:
    """Calls a network the first times that it sees a form of arguments, and replays from then on.

    A key is the form (shapes, dtypes, values beside tensors) and the edition of the network (its
    modules, hooks, addresses). What can't be recorded is called for good; the reason is logged.
    """

    notes: Final = ()
    """A replay changes nothing."""

    def __init__(
        self,
        module: nn.Module,
        recorder: Recorder,
        *,
        eager_calls: int = EAGER_CALLS,
        kept: int = KEPT_RECORDINGS,
    ) -> None:
        self._module: Final = module
        self._recorder: Final = recorder
        self._structure: Final = Structure(module)
        self._eager_calls: Final = eager_calls
        self._kept: Final = kept
        self._calls: Final[OrderedDict[Hashable, int]] = OrderedDict()
        self._recordings: Final[OrderedDict[Hashable, Recording]] = OrderedDict()

    @property
    def kept_bytes(self) -> int:
        """Memory of the device held by the recordings."""
        return sum(each.held_bytes for each in self._recordings.values())

    @property
    def kept_recordings(self) -> int:
        """How many forms are replayed at once."""
        return len(self._recordings)

    def __call__(self, arguments: Arguments, *, is_hooked: bool) -> Tensor:
        """What the network answers, a tensor of the caller's own."""
        form = None if is_hooked else form_of(arguments)
        if form is None:
            return run(self._module, arguments)
        key = form, self._structure.edition()
        recording = self._recordings.get(key) or self._recorded(key, arguments)
        if recording is None:
            return run(self._module, arguments)
        self._recordings.move_to_end(key)
        return recording.replay(list(tensors_of(arguments)))

    def forget(self) -> None:
        """Free all recordings; refused forms get another chance."""
        for recording in self._recordings.values():
            recording.free()
        self._recordings.clear()
        self._calls.clear()
        self._structure.forget()

    def _recorded(self, key: Hashable, arguments: Arguments) -> Recording | None:
        """A new recording, when the form's time has come."""
        if not self._is_due(key):
            return None
        while len(self._recordings) >= self._kept:
            self._recordings.popitem(last=False)[1].free()
        try:
            recording = self._recorder.record(self._module, arguments)
        except CannotRecord as error:
            self._calls[key] = NEVER
            log.info("The network runs without a graph at this size: %s", error)
            return None
        self._recordings[key] = recording
        return recording

    def _is_due(self, key: Hashable) -> bool:
        calls = self._calls.pop(key, 0)
        self._calls[key] = calls if calls == NEVER else calls + 1
        while len(self._calls) > KNOWN_FORMS:
            self._calls.popitem(last=False)
        return calls >= self._eager_calls
