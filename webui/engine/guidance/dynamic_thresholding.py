"""Dynamic thresholding: follow the prompt at a large scale, with the range of a smaller one.

After Saharia et al. 2022 ("Imagen", section 2.3), with the range not of pixels but of what a mimic
scale would have given. For each picture and channel of the guess g, guided by the scale asked for,
and of m, guided by the mimic scale instead (further guidance included in both):

    a = max |m - mean(m)|
    b = max(a, the percentile of |g - mean(g)|)
    result = mean(g) + clamp(g - mean(g), -b, b) * a / b

So values never reach further from their mean than with the mimic scale; with a percentile below 1,
outliers are cut off instead of making all the rest smaller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from webui.core.request import Guidance
from webui.engine.guidance.feature import Effect, Feature, Round, each_picture

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel


class DynamicThresholding(Effect):
    """Does nothing in calls without a negative prompt: there no scale is at work."""

    def __init__(self, mimic_scale: float, percentile: float) -> None:
        self._mimic_scale = mimic_scale
        self._percentile = percentile

    def apply(self, round: Round, guess: Tensor) -> Tensor:
        """The guess with the range of the mimic scale."""
        if round.negative is None:
            return guess
        added = guess - round.guided(round.scale)
        return each_picture(self._limit, guess, round.guided(self._mimic_scale) + added)

    def _limit(self, guess: Tensor, mimic: Tensor) -> Tensor:
        values, wanted = guess.flatten(2), mimic.flatten(2)
        mean = values.mean(dim=2, keepdim=True)
        apart = values - mean
        goal = (wanted - wanted.mean(dim=2, keepdim=True)).abs().amax(dim=2, keepdim=True)
        reach = torch.quantile(apart.abs(), self._percentile, dim=2, keepdim=True)
        # only a channel without any structure has no reach at all
        reach = torch.maximum(goal, reach).clamp(min=torch.finfo(guess.dtype).tiny)
        return (mean + apart.clamp(-reach, reach) * (goal / reach)).view_as(guess)


def begin(guidance: Guidance, unet: UNet2DConditionModel) -> Effect | None:
    """None without a mimic scale."""
    if not guidance.mimic_scale:
        return None
    return DynamicThresholding(guidance.mimic_scale, guidance.mimic_percentile)


FEATURE = Feature(id="dynamic_thresholding", order=50, begin=begin)
