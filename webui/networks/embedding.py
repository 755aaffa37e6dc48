"""Textual inversions: vectors that a word in the prompt stands for. Gal et al. 2022.

Comes as safetensors ("emb_params" of A1111, one tensor named by its word of diffusers, "clip_l" and
"clip_g" of SDXL); what is a pickle is converted to that before it comes here. Runs in the engine's
process.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from webui.core.errors import ModelUnreadable
from webui.modelfiles.tensors import read_tensors
from webui.networks.keys import TEXT_ENCODERS

if TYPE_CHECKING:
    from torch import Tensor

MAX_FILE_BYTES: Final = 64 * 2**20
MAX_VECTORS: Final = 1000
MAX_WIDTH: Final = 16_384
ENCODER_NAMES: Final = (("clip_l", TEXT_ENCODERS[0]), ("clip_g", TEXT_ENCODERS[1]))


def read_embedding(path: Path) -> Mapping[str, Tensor]:
    """The vectors by the text encoder that they are for: "text_encoder", and for SDXL also
    "text_encoder_2". (n, W) each, float32, on the CPU. Raises ModelUnreadable."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ModelUnreadable(path.stem, "it is far too large for an embedding.")
        tensors = read_tensors(path)
    except OSError as error:
        raise ModelUnreadable(
            path.stem, f"the file can't be read ({error}). Put it back, or download it again."
        ) from error
    vectors = _by_encoder(tensors)
    if not vectors or not all(map(_is_sane, vectors.values())):
        raise ModelUnreadable(
            path.stem, "it holds no vectors as embeddings have them. Download it again."
        )
    return vectors


def _by_encoder(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    named = {encoder: tensors[name] for name, encoder in ENCODER_NAMES if name in tensors}
    if not named and tensors:
        named = {TEXT_ENCODERS[0]: tensors.get("emb_params", next(iter(tensors.values())))}
    return {
        encoder: tensor.reshape(-1, tensor.shape[-1]).float()
        for encoder, tensor in named.items()
        if tensor.ndim in (1, 2) and tensor.numel()
    }


def _is_sane(vectors: Tensor) -> bool:
    import torch

    is_sized = vectors.shape[0] <= MAX_VECTORS and vectors.shape[1] <= MAX_WIDTH
    return is_sized and bool(torch.isfinite(vectors).all())
