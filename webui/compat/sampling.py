"""Callbacks of scripts in the middle of sampling: A1111's on the engine's own hooks.

Its functions run in the engine's thread, while that of the scripts waits.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from webui.engine.extensions.calls import Participant
from webui.extend.data import Context

log = logging.getLogger(__name__)

ID: Final = "a1111"
NAME: Final = "Scripts"


def participants(p: Any) -> Sequence[Participant]:
    """What takes part in the painting of a job's batch. Makes the job's `p.sampler`, as scripts
    may want another one than the program's."""
    _make_sampler(p)
    side = importlib.import_module("modules.gesso").side
    if side.engine is None:
        return ()
    from webui.compat.passes import Passes

    passes = Passes(p)
    hooks: dict[str, Callable[..., Any]] = {
        "asker": passes.asker,
        "batch_start": passes.begin,
        "hires_before": passes.before_hires,
        "latents_final": passes.finish,
    }
    ctx = Context(extension=ID, settings={}, data=Path(), log=log)
    return (Participant(id=ID, name=NAME, hooks=hooks, ctx=ctx),)


def _make_sampler(p: Any) -> None:
    """The engine walks with `p.gesso_sampler`, whatever a script calls it."""
    samplers = importlib.import_module("modules.sd_samplers")
    own = importlib.import_module("modules.gesso_samplers")
    p.gesso_sampler = None
    try:
        p.sampler = samplers.create_sampler(p.sampler_name, p.sd_model)
    except ValueError:
        p.sampler = None
        return
    p.sampler.initialize(p)
    p.gesso_sampler = own.sampler_id(p.sampler_name, p.sampler)
