"""A Stable Diffusion made for few steps that is told how closely to follow the prompt: LCM."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor

from webui.engine.architectures import sd
from webui.engine.architectures.architecture import Architecture, Frame
from webui.engine.architectures.text import Text

WIDTH: Final = 256
USUAL_GUIDANCE: Final = 8.0
SCALE: Final = 1000.0
SLOWEST: Final = 10_000.0


def arguments(seen: Tensor, time: Tensor, text: Text, frame: Frame) -> Mapping[str, Any]:
    """For UNet2DConditionModel."""
    return {**sd.arguments(seen, time, text, frame), "timestep_cond": guidance(seen, frame)}


def guidance(seen: Tensor, frame: Frame) -> Tensor:
    """(B, 256): waves of the guidance scale above 1, as of a timestep. Meng et al. 2023."""
    told = USUAL_GUIDANCE if frame.distilled_guidance is None else frame.distilled_guidance
    half = WIDTH // 2
    places = torch.arange(half, dtype=torch.float32, device=seen.device)
    angles = (told - 1) * SCALE * torch.exp(places * (-math.log(SLOWEST) / (half - 1)))
    waves = torch.cat([angles.sin(), angles.cos()])
    return waves.to(seen.dtype).expand(len(seen), -1)


ARCHITECTURE = Architecture(id="sd_lcm", make_encoder=sd.SdText, arguments=arguments)
