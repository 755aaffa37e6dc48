"""Perturbed-attention guidance: away from what the network paints when it can't see the whole.

Ahn et al. 2024, "Self-Rectifying Diffusion Sampling with Perturbed-Attention Guidance". The network
is asked a second time with an identity for the self-attention map of its middle block, so that
each place there knows only of itself; the difference is what looking around adds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from webui.core.request import Guidance
from webui.engine.guidance.feature import Effect, Feature, Round
from webui.engine.guidance.middle import self_attentions

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel


class PerturbedAttention(Effect):
    """Adds scale * weight * (positive - perturbed positive) for each part of the prompt."""

    def __init__(self, scale: float, layers: Sequence[nn.Module]) -> None:
        self._scale = scale
        self._layers = layers

    def apply(self, round: Round, guess: Tensor) -> Tensor:
        """Asks the network once more for each part of the prompt."""
        with perturbed(self._layers):
            worse = round.ask(round.x, [answer.text for answer in round.positives])
        for answer, other in zip(round.positives, worse, strict=True):
            guess = guess + (answer.clean - other) * (answer.weight * self._scale)
        return guess


@contextmanager
def perturbed(layers: Sequence[nn.Module]) -> Iterator[None]:
    """While it lasts, each place attends to itself alone in these layers."""
    handles = [layer.register_forward_hook(_identity) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _identity(layer: Any, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
    """What the layer answers when its attention map is the identity."""
    values: Tensor = layer.to_v(args[0])
    for module in layer.to_out:
        values = module(values)
    return values


def begin(guidance: Guidance, unet: UNet2DConditionModel) -> Effect | None:
    """None at 0. Raises InvalidRequest where there is no attention to perturb."""
    if not guidance.perturbed_attention:
        return None
    layers = self_attentions(unet, "guidance.perturbed_attention")
    return PerturbedAttention(guidance.perturbed_attention, layers)


FEATURE = Feature(id="perturbed_attention", order=30, begin=begin)
