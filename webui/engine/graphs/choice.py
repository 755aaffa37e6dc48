"""Which runner a network gets on which device."""

from __future__ import annotations

import torch
from torch import nn

from webui.engine.graphs.cuda_recorder import CudaRecorder
from webui.engine.graphs.graph_runner import GraphRunner
from webui.engine.graphs.recorder import Recorder
from webui.engine.graphs.runner import EagerRunner, Runner


def make_recorder(device: torch.device) -> Recorder | None:
    """What records calls on a device; None where nothing does. One serves all models: what they
    record shares its memory."""
    is_recordable = device.type == "cuda" and torch.version.hip is None
    return CudaRecorder(device) if is_recordable else None


def make_runner(module: nn.Module, recorder: Recorder | None) -> Runner:
    """The quickest way of running a network that changes nothing of what it answers."""
    return EagerRunner(module) if recorder is None else GraphRunner(module, recorder)
