"""Model files and the families they belong to, as the web process sees them: no weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable


class ModelKind(StrEnum):
    """What a file in models/ is. Only checkpoints make pictures by themselves."""

    CHECKPOINT = "checkpoint"
    VAE = "vae"
    LORA = "lora"
    """Any network that changes weights: LoRA, LoHa, LoKr, IA3, OFT, GLoRA, full, norm."""
    EMBEDDING = "embedding"
    """A textual inversion."""
    UPSCALER = "upscaler"
    PREVIEW = "preview"
    """A small decoder for previews (TAESD)."""
    TEXT_ENCODER = "text_encoder"
    """Turns words into numbers for checkpoints that come without one."""


@dataclass(frozen=True, kw_only=True)
class TensorHeader:
    """What a safetensors header says of one tensor."""

    dtype: str
    shape: tuple[int, ...]


Header = Mapping[str, TensorHeader]
"""All tensors of a file by key, without their bytes."""


@dataclass(frozen=True, kw_only=True)
class Detected:
    """What a family tells of a checkpoint that belongs to it."""

    variant: str = ""
    """One of the family's own words: "inpaint", "schnell"."""
    missing: tuple[str, ...] = ()
    """Ids of the parts that the file lacks and others must bring: "vae", "t5xxl"."""


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """One entry of the catalog. `path` is a file or a diffusers folder.

    `family` is a family's id for a checkpoint; for the other kinds the one it was made for, as far
    as the file tells, else empty.
    """

    id: str
    """Path below the models folder with forward slashes, or its own name: stable, unique."""
    name: str
    """The file name without its suffix; A1111's "Model"."""
    kind: ModelKind
    family: str
    path: Path
    size_bytes: int
    hash: str | None = None
    """sha256 of the weights, 64 hex digits; None until it has been computed."""
    is_starter: bool = False
    folder: str = ""
    """Where it lies below the models folder, with forward slashes."""
    modified: float = 0.0
    """When the file was last changed, in seconds since 1970."""
    alias: str = ""
    """The name its maker gave it, where the file says so; prompts may use it for a LoRA."""
    variant: str = ""
    """Of a checkpoint its family's word for it; which text encoder it is ("t5xxl"); of a VAE the
    kind of its latents ("sd", "flux16")."""
    missing: tuple[str, ...] = ()
    """The parts that a checkpoint lacks, by the variants of the files that have them."""


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """What a family does best when the person leaves a field blank."""

    width: int
    height: int
    steps: int
    guidance_scale: float
    sampler: str
    schedule: str = "automatic"
    clip_skip: int = 1
    distilled_guidance: float | None = None
    """What models with guidance trained into them are told; None for all others."""


@runtime_checkable
class ModelFamily(Protocol):
    """One file in families/. Names and limits are read in the web process: no torch at import.

    The engine calls `load(path, ...)`, whose types live with the families.
    """

    id: str
    label: str
    latents: str
    """The variant of the VAEs that go with it."""

    def detect(self, header: Header, metadata: Mapping[str, str]) -> Detected | None:
        """What a checkpoint with this header is, None if it is of another family. Keys and shapes
        decide; what the maker wrote into it may tell the variant."""
        ...

    def detect_folder(self, model_index: Mapping[str, object], folder: Path) -> Detected | None:
        """What a diffusers folder with this model_index.json is, None if of another family."""
        ...

    def defaults(self, model: ModelInfo) -> Defaults:
        """The blanks' values for this model, its own configuration taken into account."""
        ...
