"""A loaded model in its parts. Data only; torch is named in annotations, never imported."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer


class Prediction(StrEnum):
    """What a denoising network answers: the noise, or a mix of noise and picture."""

    EPSILON = "epsilon"
    VELOCITY = "v_prediction"


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where weights go and in which form."""

    device: torch.device
    dtype: torch.dtype
    is_channels_last: bool = False


@dataclass(frozen=True, kw_only=True)
class Components:
    """One set of weights; txt2img, img2img and inpaint are functions over it."""

    unet: UNet2DConditionModel
    vae: AutoencoderKL
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    betas: tuple[float, ...]
    """Noise variance added at each training timestep."""
    prediction: Prediction
