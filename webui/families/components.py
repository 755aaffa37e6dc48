"""A loaded model in its parts. Data only; torch is named in annotations, never imported."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import torch
    from torch import nn

    from webui.families.weight_table import Used, WeightTable
    from webui.families.weights import NameOf

NO_PARTS: Final[Mapping[str, Path]] = MappingProxyType({})
"""For models that lack nothing."""

TEXT_ENCODER: Final = "text_encoder"
"""The name of the first text encoder and of its tokenizer; further ones are numbered from 2, as
in diffusers' folders: text_encoder_2, text_encoder_3."""


class Prediction(StrEnum):
    """What a denoising network answers."""

    EPSILON = "epsilon"
    """The noise."""
    VELOCITY = "v_prediction"
    """A mix of noise and picture, on the circle between them."""
    FLOW = "flow"
    """The way from the picture straight to the noise."""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where weights go and in which form."""

    device: torch.device
    dtype: torch.dtype
    is_channels_last: bool = False
    defer: Callable[[nn.Module, WeightTable], None] | None = None
    """Told of each model that is built, which then has no weights yet, and what they are made of:
    someone else brings them in. None: they are read at once."""
    reuse: Callable[[str], Used | None] | None = None
    """Gives a model of this build, see WeightTable.build, that nobody uses any more: to make one
    anew takes longer than to read its weights."""

    @property
    def for_vae(self) -> Placement:
        """The same for a VAE, whose convolutions GPUs do 25 to 57 % slower with channels last
        (measured on an H100 in float16)."""
        return replace(self, is_channels_last=self.is_channels_last and self.device.type == "cpu")


@dataclass(frozen=True, kw_only=True)
class Shift:
    """How far a flow model's steps lean to the noisy side, as a factor on t / (1 - t).

    Models that saw many sizes lean further for larger pictures: from exp(`small`) at
    `small_tokens` to exp(`large`) at `large_tokens`. A token is two cells of a latent high and
    wide, 16 pixels of most families.
    """

    value: float = 1.0
    """Where it does not depend on the size."""
    small: float | None = None
    large: float = 1.15
    small_tokens: int = 256
    large_tokens: int = 4096

    def at(self, tokens: int) -> float:
        """The factor for a picture of so many tokens."""
        if self.small is None:
            return self.value
        slope = (self.large - self.small) / (self.large_tokens - self.small_tokens)
        return math.exp(self.small + slope * (tokens - self.small_tokens))


@dataclass(frozen=True, kw_only=True)
class Components:
    """One set of weights; txt2img, img2img and inpaint are functions over it.

    The modules are a library's (torch.nn.Module). `architecture` names the file in
    webui.engine.architectures that knows how the network is asked and how words become what it
    listens to.
    """

    architecture: str
    diffusion_model: Any
    """The denoising network: a UNet or a transformer."""
    vae: Any
    text_encoders: Mapping[str, Any]
    tokenizers: Mapping[str, Any]
    """By the names of the text encoders that read what they give."""
    betas: tuple[float, ...] = ()
    """Noise variance added at each training timestep; empty for flow models."""
    prediction: Prediction
    has_zero_terminal_snr: bool = False
    """The last timestep of its training was noise alone (Lin et al. 2023)."""
    shift: Shift = Shift()
    """Of flow models."""
    notes: tuple[str, ...] = ()
    """What the person should know of this model, in sentences; recorded with its pictures."""
    original_names: NameOf | None = None
    """Of a transformer: what each of its keys is in an original file, by whose names networks may
    call its layers."""

    def part(self, name: str) -> Any:
        """The module that networks call so: "unet" is the diffusion model, whatever its kind, text
        encoders go by their names. None for what this model has not."""
        return self.diffusion_model if name == "unet" else self.text_encoders.get(name)
