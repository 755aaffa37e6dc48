"""Which runner a network gets on which device."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

from webui.engine.graphs.compiler import Compiler
from webui.engine.graphs.compiling_runner import CompilingRunner
from webui.engine.graphs.cuda_recorder import CudaRecorder
from webui.engine.graphs.graph_runner import GraphRunner
from webui.engine.graphs.recorder import Recorder
from webui.engine.graphs.runner import EagerRunner, Runner

log = logging.getLogger(__name__)


def make_recorder(device: torch.device) -> Recorder | None:
    """What records calls on a device; None where nothing does. One serves all models: what they
    record shares its memory."""
    is_recordable = device.type == "cuda" and torch.version.hip is None
    return CudaRecorder(device) if is_recordable else None


def make_compiler(device: torch.device, folder: Path | None) -> Compiler | None:
    """What compiles networks for a device, and keeps what it makes in a folder; None where the
    library has no compiler for it."""
    if device.type != "cuda" or find_spec("triton") is None:
        log.info("Networks are not compiled: that needs a GPU and the package triton.")
        return None
    return Compiler(folder)


def make_runner(
    module: nn.Module, recorder: Recorder | None, compiler: Compiler | None = None
) -> Runner:
    """The quickest way of running a network that changes nothing of what it answers; with a
    compiler also what is quicker and changes the last bits."""
    runner = EagerRunner(module) if recorder is None else GraphRunner(module, recorder)
    return runner if compiler is None else CompilingRunner(module, runner, compiler)
