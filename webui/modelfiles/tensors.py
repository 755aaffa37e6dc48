"""The tensors of a small safetensors file, in memory; torch is imported inside the function."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from webui.core.errors import ModelUnreadable
from webui.modelfiles.header import read_front

if TYPE_CHECKING:
    from torch import Tensor


def read_tensors(path: Path) -> Mapping[str, Tensor]:
    """All tensors by name, on the CPU, none of them mapped to the file. Raises ModelUnreadable,
    for pickles too: those come as what the converter makes of them."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    read_front(path)
    try:
        tensors: Mapping[str, Tensor] = load(path.read_bytes())
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise ModelUnreadable(
            path.stem, f"the file is damaged ({error}). Download it again."
        ) from error
    return tensors
