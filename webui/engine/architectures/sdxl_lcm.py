"""A Stable Diffusion XL made for few steps that is told how closely to follow the prompt: LCM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from webui.engine.architectures import sdxl
from webui.engine.architectures.architecture import Architecture, Frame
from webui.engine.architectures.sd_lcm import guidance
from webui.engine.architectures.text import Text


def arguments(seen: Tensor, time: Tensor, text: Text, frame: Frame) -> Mapping[str, Any]:
    """For UNet2DConditionModel."""
    return {**sdxl.arguments(seen, time, text, frame), "timestep_cond": guidance(seen, frame)}


ARCHITECTURE = Architecture(id="sdxl_lcm", make_encoder=sdxl.SdxlText, arguments=arguments)
