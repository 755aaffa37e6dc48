"""Self-attention guidance: away from the guess with its important parts blurred.

Hong et al. 2022, "Improving Sample Quality of Diffusion Models Using Self-Attention Guidance".
Important is what the others look at: in the middle block's first self-attention map, places
that get more than their share. They are blurred in the unguided guess, the same noise is laid over
it again, and the network says what it makes of that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from webui.core.request import Guidance
from webui.engine.guidance.feature import Effect, Feature, Round, each_picture
from webui.engine.guidance.middle import middle_attentions, self_attentions

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

BLUR_WIDTH: Final = 9
"""Cells of the latent that the blur's kernel spans, as in the paper's code."""
FAIR_SHARE: Final = 1.0
"""Of attention: each place gives 1 away, so this is what each gets on average."""


class SelfAttention(Effect):
    """Adds scale * (blurred guess - what the network makes of it).

    That equals scale * (noise of the unguided guess - noise seen in the blurred one), as the
    paper has it, times -sigma.
    """

    def __init__(self, scale: float, blur: float, transformer: nn.Module, layer: Any) -> None:
        self._scale = scale
        self._blur = blur
        self._transformer = transformer
        self._layer = layer
        self._seen: list[Tensor] = []
        self._size = (0, 0)

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Keeps what goes into the attention layer, and the size of the map there."""
        self._seen = []
        handles = [
            self._transformer.register_forward_pre_hook(self._keep_size),
            self._layer.register_forward_pre_hook(self._keep_rows),
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def apply(self, round: Round, guess: Tensor) -> Tensor:
        """Asks the network once more."""
        clean = round.base.clean
        rows = torch.cat(self._seen)
        self._seen = []
        count = len(clean)
        rows = rows[:count] if round.negative is None else rows[-count:]
        blurred = each_picture(self._blur_important, rows, clean)
        worse = round.ask(blurred + (round.x - clean), [round.base.text])[0]
        return guess + (blurred - worse) * self._scale

    def _keep_size(self, module: nn.Module, args: tuple[Tensor, ...]) -> None:
        self._size = (args[0].shape[-2], args[0].shape[-1])

    def _keep_rows(self, module: nn.Module, args: tuple[Tensor, ...]) -> None:
        self._seen.append(args[0])

    def _blur_important(self, row: Tensor, clean: Tensor) -> Tensor:
        shares = attention_shares(self._layer, row).view(1, 1, *self._size)
        important = (shares > FAIR_SHARE).to(clean)
        mask = interpolate(important, size=clean.shape[-2:])
        return blur(clean, self._blur) * mask + clean * (1 - mask)


def attention_shares(layer: Any, row: Tensor) -> Tensor:
    """How much each place is looked at, on average over the heads: (1, places), mean 1."""
    places = row.shape[1]
    queries, keys = (
        part(row).float().view(1, places, layer.heads, -1).transpose(1, 2)
        for part in (layer.to_q, layer.to_k)
    )
    attention: Tensor = (queries @ keys.transpose(-1, -2) * layer.scale).softmax(dim=-1)
    return attention.mean(dim=1).sum(dim=1)


def blur(picture: Tensor, sigma: float) -> Tensor:
    """(B, C, h, w), Gaussian with a spread of `sigma` cells, mirrored at the edges."""
    if sigma == 0:
        return picture
    reach = BLUR_WIDTH // 2
    weights = [math.exp(-0.5 * (i / sigma) ** 2) for i in range(-reach, reach + 1)]
    weights = [weight / sum(weights) for weight in weights]
    for dim in (-1, -2):
        sides = (reach, reach, 0, 0) if dim == -1 else (0, 0, reach, reach)
        framed, size = pad(picture, sides, mode="reflect"), picture.shape[dim]
        picture = torch.zeros_like(picture)
        for start, weight in enumerate(weights):
            picture += framed.narrow(dim, start, size) * weight
    return picture


def begin(guidance: Guidance, unet: UNet2DConditionModel) -> Effect | None:
    """None at 0. Raises InvalidRequest where there is no attention to look at."""
    if not guidance.self_attention:
        return None
    layer = self_attentions(unet, "guidance.self_attention")[0]
    transformer = middle_attentions(unet)[0]
    return SelfAttention(guidance.self_attention, guidance.self_attention_blur, transformer, layer)


FEATURE = Feature(id="self_attention", order=40, begin=begin)
