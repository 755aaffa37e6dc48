"""Textual inversions: vectors that a word in the prompt stands for. Gal et al. 2022.

Comes as safetensors ("emb_params" of A1111, one tensor named by its word of diffusers, "clip_l" and
"clip_g" of SDXL) and as pickles of torch (`string_to_param`). Runs in the engine's process; the
web process never opens one.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from webui.core.errors import ModelUnreadable
from webui.networks.inert_pickle import load_inert
from webui.networks.keys import TEXT_ENCODERS

if TYPE_CHECKING:
    from torch import Tensor

MAX_FILE_BYTES: Final = 64 * 2**20
MAX_VECTORS: Final = 1000
MAX_WIDTH: Final = 16_384
ZIP: Final = b"PK\x03\x04"
PICKLE: Final = b"\x80"
ENCODER_NAMES: Final = (("clip_l", TEXT_ENCODERS[0]), ("clip_g", TEXT_ENCODERS[1]))


def read_embedding(path: Path) -> Mapping[str, Tensor]:
    """The vectors by the text encoder that they are for: "text_encoder", and for SDXL also
    "text_encoder_2". (n, W) each, float32, on the CPU. Raises ModelUnreadable."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ModelUnreadable(path.stem, "it is far too large for an embedding.")
        is_safe = path.suffix.lower() == ".safetensors"
        tensors = _read_safetensors(path) if is_safe else _read_pickle(path)
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


def _read_safetensors(path: Path) -> Mapping[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors: Mapping[str, Tensor] = load(path.read_bytes())
    except (SafetensorError, KeyError, ValueError) as error:
        raise ModelUnreadable(
            path.stem, f"the file is damaged ({error}). Download it again."
        ) from error
    return tensors


def _read_pickle(path: Path) -> Mapping[str, Tensor]:
    """By torch's own safe reader; where that refuses, as for the files of the first trainers, with
    everything that is no tensor left inert."""
    import torch

    _check_container(path)
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # noqa: BLE001 - whatever it stumbles over, the second reader is stricter
        found = _read_inert(path)
    return _tensors_in(found)


def _read_inert(path: Path) -> object:
    try:
        return load_inert(path)
    except Exception as error:  # a hostile file may lead to any
        raise ModelUnreadable(
            path.stem, f"the file is damaged or no embedding ({error}). Download it again."
        ) from error


def _check_container(path: Path) -> None:
    """Refuses what would fill the memory before its contents are known, and torch's oldest form,
    a tar, which it would unpack to the disk."""
    with path.open("rb") as file:
        start = file.read(len(ZIP))
    if start == ZIP and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
        is_packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
        if is_packed or sum(entry.file_size for entry in entries) > MAX_FILE_BYTES:
            raise ModelUnreadable(path.stem, "it is packed in a way that embeddings are not.")
    elif not start.startswith(PICKLE):
        raise ModelUnreadable(path.stem, "it is no file of torch. Download it again.")


def _tensors_in(found: object) -> Mapping[str, Tensor]:
    """A1111's dictionary in a dictionary, or diffusers' tensors by their word."""
    import torch

    if not isinstance(found, Mapping):
        return {}
    inner: Any = found.get("string_to_param", found)
    inner = getattr(inner, "_parameters", inner)  # the first trainers stored a ParameterDict
    if not isinstance(inner, Mapping):
        return {}
    return {
        str(name): tensor.detach()
        for name, tensor in inner.items()
        if isinstance(tensor, torch.Tensor) and tensor.numel() <= MAX_VECTORS * MAX_WIDTH
    }  # a few bytes may claim to be a tensor of any size


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
