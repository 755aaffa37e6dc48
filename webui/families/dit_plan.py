"""What a model of the transformer kind is made of: its network, its text encoders, its VAE. Data
only; loading is in dit_loading."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from webui.families.clip_file import find_clip
from webui.families.components import TEXT_ENCODER, Shift
from webui.families.dit_layout import start_of
from webui.families.language_model import (
    LANGUAGE_MODELS,
    checkpoint_starts,
    find_language_model,
)
from webui.families.t5 import CHECKPOINT_STARTS, find_t5
from webui.families.vae_file import vae_prefix
from webui.families.weights import Piece

if TYPE_CHECKING:
    from torch import nn

Config = dict[str, Any]
Shape = Callable[[str], tuple[int, ...]]
VAE: Final = "vae"
T5: Final = "t5xxl"


@dataclass(frozen=True, kw_only=True)
class Network:
    """How a family's denoising network is told, shaped and named."""

    marks: tuple[str, ...]
    """Names in original files that only this network has together."""
    diffusers_marks: tuple[str, ...]
    make: Callable[[Config], nn.Module]
    """Makes it, by its settings."""
    settings: Callable[[Shape, Collection[str]], Config]
    """By shapes and names of an original file."""
    names: Callable[..., Mapping[str, str | Piece]]
    """(keys, width, start) -> the original file's name of each key."""
    width: str
    """A tensor with as many rows as the network is wide."""
    inner: str = "inner_dim"
    """What the library's class calls that width."""

    def start(self, names: Container[str]) -> str | None:
        """What stands before its names in an original file; None where it is not in it."""
        return start_of(names, self.marks)

    def diffusers_start(self, names: Container[str]) -> str | None:
        """The same of a file with diffusers' names."""
        return start_of(names, self.diffusers_marks)

    def is_in(self, names: Container[str]) -> bool:
        """Whether a file has it, in either naming."""
        return self.start(names) is not None or self.diffusers_start(names) is not None


@dataclass(frozen=True, kw_only=True)
class Reader:
    """One text encoder of a family."""

    name: str
    """Also that of its folder in diffusers' layout."""
    part: str
    """The id of files that hold it alone."""
    label: str
    files: str
    """What such files are called, for people."""
    activation: str = "quick_gelu"
    """Of CLIP's layers."""
    has_projection: bool = False
    """Its text as a whole goes through one more layer."""
    pad: str | None = None
    """Fills up texts, where that is not the tokenizer's own."""
    is_optional: bool = False
    """The model reads without it, less well."""
    sees: bool = False
    """A language model that is shown pictures too."""

    @property
    def starts(self) -> tuple[str, ...]:
        """What stands before its names in whole checkpoints."""
        if self.part in LANGUAGE_MODELS:
            return checkpoint_starts(self.part)
        return (
            CHECKPOINT_STARTS if self.part == T5 else (f"text_encoders.{self.part}.transformer.",)
        )

    @property
    def tokenizer(self) -> str:
        """The folder of its tokenizer."""
        return self.name.replace(TEXT_ENCODER, "tokenizer")

    def is_in(self, names: Container[str]) -> bool:
        """Whether a whole checkpoint has it."""
        if self.part in LANGUAGE_MODELS:
            return find_language_model(names, self.starts) is not None
        find = find_t5 if self.part == T5 else find_clip
        return find(names, self.starts) is not None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a family's models are made of."""

    network: Network
    readers: tuple[Reader, ...]
    vae: Config
    """The settings of its VAE that no file tells."""
    vae_file: str = "ae.safetensors or another VAE with 16 channels"
    """What VAEs for it are called, for people."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What differs between the variants of a family."""

    architecture: str
    shift: Shift
    notes: tuple[str, ...] = ()
    is_shift_known: bool = False
    """What a folder's scheduler says of it does not count."""
    betas: tuple[float, ...] = ()
    """Of those that answer noise, see Components."""


def latent_settings(scaling: float, shift: float) -> Config:
    """The settings of a VAE for latents of 16 channels that were moved by `shift` and scaled."""
    return {
        "in_channels": 3,
        "out_channels": 3,
        "latent_channels": 16,
        "norm_num_groups": 32,
        "sample_size": 1024,
        "scaling_factor": scaling,
        "shift_factor": shift,
        "use_quant_conv": False,
        "use_post_quant_conv": False,
    }


def missing_parts(names: Container[str], plan: Plan) -> tuple[str, ...]:
    """The ids of the parts that a file with tensors of these names lacks."""
    missing = [each.part for each in plan.readers if not each.is_in(names)]
    return (*missing, *([] if vae_prefix(names) is not None else [VAE]))
