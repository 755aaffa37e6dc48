"""What is in a model file of any form, told by its first bytes and without running anything."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from webui.core.errors import ModelUnreadable
from webui.core.model import TensorHeader
from webui.modelfiles import header
from webui.modelfiles.container import PICKLES, Container, container_of
from webui.modelfiles.header import Front
from webui.modelfiles.torch_file import read_torch

NO_TENSORS: Final = "it holds no tensors that could be used. Remove it."


def read_front(path: Path, *, may_be_empty: bool = False) -> Front:
    """The tensors of a safetensors file or of a pickle, whatever it is called. Raises
    ModelUnreadable, for GGUF as well: see families/gguf_file; for a pickle without tensors too,
    unless it `may_be_empty`."""
    container = container_of(path)
    if container is Container.SAFETENSORS:
        return header.read_front(path)
    if container not in PICKLES:
        raise ModelUnreadable(path.name, f"files of the form {container} are not read here.")
    found = read_torch(path, container)
    if not found.tensors and not may_be_empty:
        raise ModelUnreadable(path.name, NO_TENSORS)
    tensors = {
        name: TensorHeader(dtype=tensor.dtype, shape=tensor.shape)
        for name, tensor in found.tensors.items()
    }
    return Front(tensors=tensors, metadata={}, words=found.words)


def is_pickle(path: Path) -> bool:
    """Whether opening the file in the usual way would run a program. Raises ModelUnreadable."""
    return container_of(path) in PICKLES
