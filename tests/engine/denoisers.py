"""Denoisers over small networks, for the tests of guidance: nothing of a whole engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor

from webui.core.request import Emphasis, Guidance
from webui.engine.architectures.architecture import Frame
from webui.engine.architectures.sd import ARCHITECTURE, SdText
from webui.engine.architectures.text import Text
from webui.engine.conditioning import (
    Conditioning,
    ConditioningPlan,
    PromptEncoder,
    Weighted,
)
from webui.engine.denoise import Asked, Denoiser
from webui.engine.graphs.runner import EagerRunner
from webui.engine.memory.thrift import Thrift
from webui.families.components import Components, Prediction
from webui.schedules.noise_levels import FlowLevels, NoiseLevels

LEVELS: Final = NoiseLevels([(0.03 + 0.0001 * i) ** 2 for i in range(1000)])
FLOW: Final = FlowLevels(3.0)
WIDTH: Final = 8
"""Of a text, for small networks."""


class Spacious:
    """A device that has nothing to give back."""

    def give_back(self) -> None:
        """Nothing was kept."""

    def stream_more(self) -> bool:
        """Nothing is there to move."""
        return False


class Plan:
    """Says the same at each call, or asks a function what it is; remembers the calls."""

    def __init__(self, say: Conditioning | Callable[[int], Conditioning]) -> None:
        self._say = say
        self.calls: list[int] = []

    def at(self, call: int) -> Conditioning:
        """What is said at this call."""
        self.calls.append(call)
        return self._say(call) if callable(self._say) else self._say


def parts(unet: Any, prediction: Prediction = Prediction.EPSILON) -> Components:
    """Components with nothing but a UNet."""
    nothing = cast("Any", None)
    return Components(
        architecture="sd",
        diffusion_model=unet,
        vae=nothing,
        text_encoders={},
        tokenizers={},
        prediction=prediction,
    )


def asked(components: Components, levels: NoiseLevels = LEVELS) -> Asked:
    """A model of the Stable Diffusion kind, asked in the plain way."""
    return Asked(
        components=components,
        architecture=ARCHITECTURE,
        levels=levels,
        frame=Frame(width=64, height=64),
        runner=EagerRunner(components.diffusion_model),
        thrift=Thrift(Spacious()),
    )


def make_denoiser(
    unet: Any,
    say: Conditioning | Callable[[int], Conditioning] | Plan,
    *,
    guidance: Guidance | None = None,
    scale: float = 3.0,
    prediction: Prediction = Prediction.EPSILON,
    calls_total: int = 20,
    is_exact: bool = False,
    **more: Any,
) -> Denoiser:
    """A denoiser over this network."""
    return Denoiser(
        asked(parts(unet, prediction), FLOW if prediction is Prediction.FLOW else LEVELS),
        say if isinstance(say, Plan) else Plan(say),
        guidance or Guidance(),
        scale,
        calls_total=calls_total,
        is_exact=is_exact,
        **more,
    )


def small_unet(**changes: Any) -> UNet2DConditionModel:
    """Two blocks down, two up, attention in the middle; random, the same at each call; float64."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        settings: dict[str, Any] = {
            "sample_size": 16,
            "block_out_channels": (16, 32),
            "norm_num_groups": 8,
            "layers_per_block": 1,
            "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
            "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
            "cross_attention_dim": WIDTH,
            "attention_head_dim": 2,
        }
        return UNet2DConditionModel(**(settings | changes)).double().eval()


def noise(*shape: int, seed: int = 0) -> Tensor:
    """float64, spread 1."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def text(seed: int, tokens: int = 7) -> Text:
    """A random text of so many pieces."""
    return Text(tokens=noise(1, tokens, WIDTH, seed=seed))


def said(weights: Sequence[float] = (1.0,), *, is_guided: bool = True) -> Conditioning:
    """As many random positive texts as weights, and a negative one."""
    return prompts(
        [(text(10 + i), weight) for i, weight in enumerate(weights)],
        text(5) if is_guided else None,
    )


def prompts(positive: Sequence[tuple[Text, float]], negative: Text | None) -> Conditioning:
    """What these encoded texts say, with their weights."""
    parts = tuple(Weighted(text=text, weight=weight) for text, weight in positive)
    return Conditioning(positive=parts, negative=negative)


def read(model: Components, prompt: str) -> ConditioningPlan:
    """What a model's own text encoder makes of a prompt, guided away from no text."""
    return PromptEncoder(SdText(model)).plan(
        prompt,
        "",
        clip_skip=1,
        emphasis=Emphasis.ORIGINAL,
        steps=1,
        calls_per_step=1,
        is_guided=True,
    )
