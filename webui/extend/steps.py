"""What engine hooks are given. No torch is imported: tensors are whatever the engine has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PIL import Image

from webui.core.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Latents:
    """Latents of a group of pictures, (B, C, h, w), in the model's own scale."""

    x: Tensor
    recipes: Sequence[Recipe]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Pictures that are denoised together: their first latents, (B, C, h, w), noise included."""

    x: Tensor
    recipes: Sequence[Recipe]
    sigmas: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class NoiseDraw:
    """`noise`: (B, C, h, w), spread 1. `index` counts the draws of a pass; 0 is the first."""

    noise: Tensor
    recipes: Sequence[Recipe]
    index: int


@dataclass(frozen=True, kw_only=True)
class Cond:
    """An encoded prompt: (1 or B, tokens, width), and the pooled vector where the model has one."""

    embeds: Tensor
    pooled: Tensor | None
    prompt: str
    is_negative: bool


@dataclass(frozen=True, kw_only=True)
class StepState:
    """One call of the denoiser. `denoised` is None before the network has answered."""

    x: Tensor
    sigma: float
    index: int
    """Counts calls from 0."""
    total: int
    recipes: Sequence[Recipe]
    denoised: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class Guess:
    """Guesses of the clean latent, each (B, C, h, w). `combined` is what would count."""

    cond: Tensor
    uncond: Tensor | None
    combined: Tensor
    scale: float
    sigma: float
    index: int
    total: int
    x: Tensor


@dataclass(frozen=True, kw_only=True)
class MaskOverlay:
    """A painted picture, its source and the mask (L, white is painted), all of one size."""

    painted: Image.Image
    source: Image.Image
    mask: Image.Image
    facts: Mapping[str, str] = field(default_factory=dict)
